"""Shoppers for Locust, who walk through the demo's shop as `gatewright traffic` does.

    pip install locust
    locust -f examples/load/locustfile.py --host http://127.0.0.1:8080 \
        --headless --users 20 --spawn-rate 20 --run-time 30s

Only GET and HEAD are sent, so that a gateway may always try them again elsewhere.
"""

import random
from collections import Counter

from locust import HttpUser, between, events, task

# The shop's products are numbered from 1 to at least this.
PRODUCTS = 12

# Who answered how often, by the header in which the demo's servers name themselves.
answered = Counter()


class Shopper(HttpUser):
    """A customer who looks around and perhaps buys something, then is another one."""

    # How long a page is looked at, in seconds.
    wait_time = between(0.01, 0.03)

    @task
    def visit(self):
        """One visit. Its cookies last as long as it does."""
        self.client.cookies.clear()
        for path in ["/", "/products", "/api/products"]:
            self.look(path)
        for _ in range(random.randint(2, 5)):
            product = random.randint(1, PRODUCTS)
            if random.randrange(4) == 0:
                self.look(f"/products/{product}", "/products/N", method="HEAD")
            self.look(f"/products/{product}", "/products/N")
            self.look(f"/api/products/{product}", "/api/products/N")
        for path in ["/cart", "/api/cart"]:
            self.look(path)
        if random.randrange(3) == 0:
            for path in ["/checkout", "/api/checkout"]:
                self.look(path)

    def look(self, path, name=None, method="GET"):
        """Ask for a page and look at it. A status of 400 or above is a failure."""
        response = self.client.request(method, path, name=name or path)
        answered[response.headers.get("x-backend", "nobody")] += 1
        self.wait()


@events.quitting.add_listener
def who_answered(**_):
    """Say at the end how the work was spread."""
    for server, count in sorted(answered.items()):
        print(f"{server}: {count} responses")
