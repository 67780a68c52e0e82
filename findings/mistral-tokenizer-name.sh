#!/usr/bin/env bash
# Tool: mistral-common 1.13.1 (with sentencepiece 0.2.3), the tokenizer that engines use for Mistral's
# own format.
#
# Expected: the tokenizer of a model is in its tokenizer file, whatever the file is called; a copy
# under another name gives the same tokens, or is refused.
# Seen: which chat format is used comes from the *end of the file's name* and from nothing else.
# tokenizer.model.v3 is version 3; the same bytes called tokenizer.model, or with the version
# elsewhere in the name, are version 1. No warning is given, and the prompt is another one: the two
# control tokens around the instruction, 3 and 4, become seven pieces of ordinary text.
#
# Why it matters on your own GPU nodes: a mirror, an object store or an image build that tidies
# names, or stores files by digest and links them back under a plain name, leaves every checksum
# right and makes the model answer worse. Compare names as well as digests of what you approve.
#
# Output seen:
#   tokenizer.model.v3 v3: 1 3 7080 29477 4
#   tokenizer.model    v1: 1 1501 17057 29561 7080 29477 1501 29516 17057 29561
#   tokenizer.v3.model v1: 1 1501 17057 29561 7080 29477 1501 29516 17057 29561
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

warnings.simplefilter("error")  # a warning about the name would be one way to change this
shipped = Path(mistral_common.__file__).parent / "data" / "mistral_instruct_tokenizer_240323.model.v3"
request = ChatCompletionRequest(messages=[UserMessage(content="hello")])

for name in ("tokenizer.model.v3", "tokenizer.model", "tokenizer.v3.model"):
    shutil.copy(shipped, name)
    tokenizer = MistralTokenizer.from_file(name)
    version = tokenizer.instruct_tokenizer.tokenizer.version.value
    print(f"{name:<19}{version}:", *tokenizer.encode_chat_completion(request).tokens)
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the tokenizer's version is found in another way now"; exit 1; }
tokenizer.model.v3 v3: 1 3 7080 29477 4
tokenizer.model    v1: 1 1501 17057 29561 7080 29477 1501 29516 17057 29561
tokenizer.v3.model v1: 1 1501 17057 29561 7080 29477 1501 29516 17057 29561
SEEN
echo "as described: the same tokenizer bytes under another name make another prompt"
