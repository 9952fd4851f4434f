"""What every test process and every kernel it starts has: one thread, no network, no widgets."""

import os

from hypothesis import settings

for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "PLOTLY_RENDERER": "plotly_mimetype",
    "O1LAB_HEADLESS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}.items():
    os.environ[_name] = _value

settings.register_profile("lab", deadline=None)  # a busy machine is no error
settings.load_profile("lab")
