"""Run by mini-swe-agent's own Python, which has tiktoken and, in litellm, the vocabulary: nothing is downloaded.

From a JSON list of texts on the standard input to a list of their numbers of tokens on the standard output.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

_LITELLM = importlib.util.find_spec("litellm").origin
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(_LITELLM).parent / "litellm_core_utils/tokenizers")

import tiktoken  # noqa: E402 - it reads the variable

encoding = tiktoken.get_encoding("cl100k_base")
texts = json.load(sys.stdin)
json.dump([len(encoding.encode_ordinary(text)) for text in texts], sys.stdout)
