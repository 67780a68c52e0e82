#!/usr/bin/env bash
# Library: nvidia-ml-py 13.615.71 (pynvml), NVIDIA's Python binding of the GPU driver's library.
#
# Expected: an error of the binding is an exception like any other: it equals itself, differs from
# everything else, and may be a key or stand in a set.
# Seen: NVMLError defines == as "the other one's .value", and therefore no hash. Compared with None,
# a string or any other exception it raises AttributeError; put into a set, a dict or a Counter it
# raises TypeError. Two errors of different calls on different GPUs are equal when their codes are.
# A code that the binding does not know (a newer driver's) is none of the subclasses.
#
# Why it matters on your own GPU nodes: an agent that reads GPUs in a loop and reports an error only
# when it is another one than the last ("if error != last", last = None at first) works for as long
# as every GPU does. With the first lost GPU the comparison itself raises, and what is reported, or
# what ends the agent, is "'NoneType' object has no attribute 'value'". Compare and keep
# (type(error), error.value), or str(error).
#
# Output seen:
#   lost != None                  AttributeError: 'NoneType' object has no attribute 'value'
#   lost == OSError()             AttributeError: 'OSError' object has no attribute 'value'
#   lost in [None, lost]          AttributeError: 'NoneType' object has no attribute 'value'
#   {lost}                        TypeError
#   lost == another GPU's         True
#   isinstance(lost, GpuIsLost)   True
#   a code of a newer driver      NVMLError
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check nvidia-ml-py==13.615.71

cat >finding.py <<'PY'
import pynvml

lost = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
other = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
newer = pynvml.NVMLError(998)


def said(ask):
    try:
        return ask()
    except TypeError as error:
        return type(error).__name__  # its words are another with each Python
    except AttributeError as error:
        return f"{type(error).__name__}: {error}"


for what, ask in {
    "lost != None": lambda: lost != None,  # noqa: E711 - the comparison is the point
    "lost == OSError()": lambda: lost == OSError(),
    "lost in [None, lost]": lambda: lost in [None, lost],
    "{lost}": lambda: {lost},
    "lost == another GPU's": lambda: lost == other,
    "isinstance(lost, GpuIsLost)": lambda: isinstance(lost, pynvml.NVMLError_GpuIsLost),
    "a code of a newer driver": lambda: type(newer).__name__,
}.items():
    print(f"{what:<29} {said(ask)}")
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: errors of NVML compare in another way now"; exit 1; }
lost != None                  AttributeError: 'NoneType' object has no attribute 'value'
lost == OSError()             AttributeError: 'OSError' object has no attribute 'value'
lost in [None, lost]          AttributeError: 'NoneType' object has no attribute 'value'
{lost}                        TypeError
lost == another GPU's         True
isinstance(lost, GpuIsLost)   True
a code of a newer driver      NVMLError
SEEN
echo "as described: an error of NVML cannot be compared with anything but another one"
