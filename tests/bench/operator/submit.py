"""Call spark-submit in cluster mode again and again; print wall and CPU seconds of each submission, and until it has completed.

python submit.py '{"command": […], "count": 10}'
"""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
POD = re.compile(r"submission ID [^:\s]+:(\S+)")


def phase(name: str) -> str:
    """Return the phase of a pod."""
    namespace, token = (Path(ACCOUNT, name).read_text() for name in ("namespace", "token"))
    host = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    request = urllib.request.Request(f"{host}/api/v1/namespaces/{namespace}/pods/{name}")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")) as answer:
        return str(json.load(answer)["status"]["phase"])


def main() -> None:
    """Submit once more than asked for: the first warms up."""
    plan = json.loads(sys.argv[1])
    for _ in range(plan["count"] + 1):
        before, began = os.times(), time.monotonic()
        done = subprocess.run(plan["command"], capture_output=True, text=True, check=False)
        wall, after = time.monotonic() - began, os.times()
        if done.returncode:
            sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
        name = POD.search(done.stderr + done.stdout)
        if not name:
            sys.exit(f"spark-submit names no pod: {done.stderr[-3000:]}")
        while phase(name.group(1)) not in ("Succeeded", "Failed"):
            time.sleep(0.1)
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        print(json.dumps({"wall": wall, "cpu": cpu, "completed": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
