#!/usr/bin/env bash
# A sweep over two "hosts" (network namespaces with separate addresses) whose link is cut for a
# minute. Needs root and iproute2; cleans up after itself.
#
#   benchmarks/cut_link.sh DIR [PYTHON] [SECONDS]
#
# Ray's head and the driver are on host a; each host has a node with two logical GPUs. Prints the
# driver's output, then every trial's steps: only the step under way at the cut may occur twice.
set -euo pipefail
dir=$(realpath "$1") python=${2:-python} cut=${3:-60}
here=$(cd "$(dirname "$0")/.." && pwd)
a=bs-a-$$ b=bs-b-$$
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0 FAKE_STEP_S=${FAKE_STEP_S:-6}
RAY_AUTH_TOKEN=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export PYTHONPATH=$here:$here/tests/sweep OMP_NUM_THREADS=1
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
mkdir -p "$dir/results"
scratch=$(mktemp -d /tmp/bs-cut-XXXX)

end() { # kills only what runs in the two namespaces
    for host in "$a" "$b"; do
        ip netns pids "$host" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "$host" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap end EXIT

ip netns add "$a"
ip netns add "$b"
ip link add "va$$" netns "$a" type veth peer name "vb$$" netns "$b"
for host in "$a 1 va$$" "$b 2 vb$$"; do
    read -r name number link <<<"$host"
    ip -n "$name" addr add "10.213.0.$number/24" dev "$link"
    ip -n "$name" link set "$link" up
    ip -n "$name" link set lo up
done
start() { # namespace, scratch folder, further options of `ray start`
    ip netns exec "$1" "$python" -m ray.scripts.scripts start --temp-dir "$scratch/$2" --num-cpus 2 \
        --num-gpus 2 --object-store-memory 100000000 "${@:3}" >"$dir/$2.log" 2>&1
}
start "$a" a --head --node-ip-address 10.213.0.1 --port 6379 --include-dashboard=false
start "$b" b --address 10.213.0.1:6379 --node-ip-address 10.213.0.2

ip netns exec "$a" "$python" "$here/tests/sweep/drive.py" "$dir/results" cut 8 \
    --address 10.213.0.1:6379 --mlflow local >"$dir/driver.log" 2>&1 &
driver=$!
steps() { cat "$dir"/results/cut/trials/*/audit.jsonl 2>/dev/null | grep -c '"step ' || true; }
until [ "$(steps)" -ge 8 ]; do
    kill -0 "$driver" || { cat "$dir/driver.log"; exit 1; }
    sleep .5
done
echo "cut for $cut s"
ip -n "$b" link set "vb$$" down
sleep "$cut"
ip -n "$b" link set "vb$$" up
echo "link restored"
status=0
wait "$driver" || status=$?
cat "$dir/driver.log"
"$python" - "$dir/results/cut/trials" <<'END'
import collections, json, pathlib, sys
for file in sorted(pathlib.Path(sys.argv[1]).glob("*/audit.jsonl")):
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    steps = collections.Counter(line["what"] for line in lines if line["what"] != "start")
    twice = [step for step, times in steps.items() if times > 1]
    hosts = len({line["node"] for line in lines})
    print(file.parent.name, f"{len(steps)} steps, {hosts} host(s), twice: {', '.join(twice) or 'none'}")
END
exit "$status"
