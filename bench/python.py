import concurrent.futures
import sys
import time

import requests

print("requests", requests.__version__, flush=True)
session = requests.Session()
session.trust_env = False  # as fast as it gets
adapter = requests.adapters.HTTPAdapter(pool_maxsize=64)
session.mount("http://", adapter)


def get(url, n):
    for _ in range(n):
        assert len(session.get(url).content) == 1024


for line in sys.stdin:
    url, n, threads = line.split()
    n, threads = int(n), int(threads)
    if threads == 1:
        start = time.perf_counter()
        get(url, n)
    else:
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            list(pool.map(lambda _: get(url, n // threads), range(threads)))
    print(time.perf_counter() - start, flush=True)
