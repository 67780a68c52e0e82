#!/usr/bin/env bash
# Tool: mistral-common 1.13.1 (with sentencepiece 0.2.3), the tokenizer that engines use for Mistral's
# own format.
#
# Expected: a tokenizer that has no token for the markers of a chat, [INST] and [/INST], is refused
# for a version that writes a chat with them.
# Seen: it loads, and each marker becomes token 0, <unk>, without a warning: beginning and end of
# an instruction are the same token, and the model never saw it there. And of several such files in
# one folder the *last by the order of text* is taken, so version 3 wins over version 11; that choice
# is a line in a log.
#
# Why it matters on your own GPU nodes: who puts the tokenizer of an older model beside newer weights,
# or gives it the name that an engine asked for, gets an engine that starts, answers, and answers
# worse. No checksum and no health check sees it. Look for [INST] in the file before you approve it:
#   grep -c '\[INST\]' tokenizer.model.v3
#
# Output seen:
#   v1 pieces as tokenizer.model.v1:  1 733 16289 28793 6312 28709 733 28748 16289 28793
#   v1 pieces as tokenizer.model.v3:  1 0 6312 28709 0
#   v1 pieces as tokenizer.model.v11: 1 0 6312 28709 0
#   of tokenizer.model.v11, tokenizer.model.v3: tokenizer.model.v3
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check 'mistral-common[sentencepiece]==1.13.1' sentencepiece==0.2.3

cat >finding.py <<'PY'
import shutil
import warnings
from pathlib import Path

import mistral_common
from mistral_common.protocol.instruct.messages import UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from mistral_common.tokens.tokenizers.utils import get_one_valid_tokenizer_file

warnings.simplefilter("error")  # a warning about the markers would be one way to change this
shipped = Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"
request = ChatCompletionRequest(messages=[UserMessage(content="hello")])

for version in ("v1", "v3", "v11"):
    name = f"tokenizer.model.{version}"
    shutil.copy(shipped, name)
    tokens = MistralTokenizer.from_file(name).encode_chat_completion(request).tokens
    print(f"{f'v1 pieces as {name}:':<34}" + " ".join(map(str, tokens)))
both = ["tokenizer.model.v11", "tokenizer.model.v3"]
print(f"of {', '.join(both)}: {get_one_valid_tokenizer_file(both)}")
PY

venv/bin/python finding.py 2>/dev/null | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: a tokenizer without the markers is treated in another way now"; exit 1; }
v1 pieces as tokenizer.model.v1:  1 733 16289 28793 6312 28709 733 28748 16289 28793
v1 pieces as tokenizer.model.v3:  1 0 6312 28709 0
v1 pieces as tokenizer.model.v11: 1 0 6312 28709 0
of tokenizer.model.v11, tokenizer.model.v3: tokenizer.model.v3
SEEN
echo "as described: markers of a chat that the tokenizer lacks become <unk>, without a warning"
