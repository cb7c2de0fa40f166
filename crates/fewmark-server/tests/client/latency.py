"""Times a running `fewmark serve`; needs Python alone.

    python3 latency.py URL PICTURE VOLUME [SERVER_PID]

PICTURE and VOLUME are ids of images of the study. Clicks 200 times in the picture and 20 times in the volume, then lets eight clients send 2000
requests, and prints percentiles in milliseconds, with the memory of the server before and after. Figures of a machine that does other work
as well say little.
"""

import http.client
import json
import random
import sys
import threading
import time
from urllib.parse import quote, urlparse

url = urlparse(sys.argv[1])
picture, volume = sys.argv[2], sys.argv[3]
pid = sys.argv[4] if len(sys.argv) > 4 else None


def send(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=300)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    return response, connection


def call(method, path, body=None, headers={}):
    response, connection = send(method, path, body, headers)
    data = response.read()
    connection.close()
    return response.status, data


def near(centre, size, random):
    return [min(max(c + random.randint(-6, 6), 0), n - 1) for c, n in zip(centre, size)]


def percentiles(name, seconds):
    seconds = sorted(seconds)
    at = lambda p: 1000 * seconds[min(len(seconds) - 1, int(p * len(seconds)))]
    print(f"{name}: n {len(seconds)}, p50 {at(0.5):.0f} ms, p90 {at(0.9):.0f} ms, p99 {at(0.99):.0f} ms", flush=True)


def memory():
    if not pid:
        return "unknown"
    with open(f"/proc/{pid}/status") as status:
        return next(line.split(":")[1].strip() for line in status if line.startswith("VmRSS"))


def centre_of(image):
    facts = json.loads(call("GET", f"/api/images/{quote(image)}")[1])
    return [n // 3 for n in facts["size"]], facts["size"]


draw = random.Random(0)
centre, size = centre_of(picture)
print(f"picture {picture}, {size}")
seconds, warm = [], 0
for _ in range(200):
    body = {"method": "tv", "marks": {"foreground": [near(centre, size, draw)]}}
    begun = time.perf_counter()
    status, data = call("POST", f"/api/images/{quote(picture)}/segment", body)
    seconds.append(time.perf_counter() - begun)
    assert status == 200, data
    warm += json.loads(data)["warm"]
percentiles("click to answer, 2-D", seconds)
print(f"{warm} of 200 were warm")

centre, size = centre_of(volume)
print(f"volume {volume}, {size}")
coarse, full = [], []
for _ in range(20):
    body = {"method": "tv", "marks": {"foreground": [near(centre, [*size[:2], size[2]], draw)]}}
    begun = time.perf_counter()
    response, connection = send("POST", f"/api/images/{quote(volume)}/segment", body, {"accept": "text/event-stream"})
    for line in response:
        if line.startswith(b"event: coarse"):
            coarse.append(time.perf_counter() - begun)
        elif line.startswith(b"event: result"):
            full.append(time.perf_counter() - begun)
    connection.close()
percentiles("click to coarse mask, 3-D", coarse)
percentiles("click to mask, 3-D", full)

before, seconds, lock = memory(), [], threading.Lock()


def client(number):
    draw = random.Random(number)
    centre, size = centre_of(picture)
    for i in range(250):
        begun = time.perf_counter()
        if i % 5 == 0:
            status, _ = call("GET", "/api/images")
        elif i % 5 == 1:
            status, _ = call("GET", f"/api/images/{quote(volume)}/slice?index={i % 7}")
        else:
            body = {"method": "tv", "marks": {"foreground": [near(centre, size, draw)]}}
            status, _ = call("POST", f"/api/images/{quote(picture)}/segment", body, {"x-client": f"client {number}"})
        assert status == 200, status
        with lock:
            seconds.append(time.perf_counter() - begun)


begun = time.perf_counter()
clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
[c.start() for c in clients]
[c.join() for c in clients]
took = time.perf_counter() - begun
percentiles("eight clients", seconds)
print(f"{len(seconds)} requests in {took:.1f} s: {len(seconds) / took:.1f} a second; memory {before} before, {memory()} after")
