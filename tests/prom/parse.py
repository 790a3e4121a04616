#!/usr/bin/python3
"""Prometheus text on stdin, read by the official client's parser.

A JSON object a line on stdout: {"name", "labels", "value"} for each sample.
Status 1 with a sentence for what the parser lets pass and a server or its
linter (promtool check metrics) does not: a family without help or type or in
two pieces, a counter that is not called _total, a sample twice, a base unit
that is none.
"""
import json
import re
import sys

from prometheus_client.parser import text_string_to_metric_families

UNITS = re.compile(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)")


def fail(what):
    sys.exit("metrics: " + what)


text = sys.stdin.buffer.read().decode("utf-8")
if not text.endswith("\n"):
    fail("the last line does not end")
names = re.findall(r"^# TYPE (\S+) ", text, re.M)
if len(names) != len(set(names)) or not names:
    fail("a family is there twice, or none")
order = []
seen = set()
for family in text_string_to_metric_families(text):
    if not family.documentation or family.type not in ("counter", "gauge"):
        fail(f"{family.name}: no help, or type {family.type}")
    for sample in family.samples:
        name, labels, value = sample[:3]
        if family.type == "counter" and not name.endswith("_total"):
            fail(f"{name} is a counter")
        if family.type == "gauge" and name.endswith("_total"):
            fail(f"{name} is a gauge")
        if name not in names or UNITS.search(name):
            fail(f"{name}: another name than its family's, or a bad unit")
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            fail(f"{key} is there twice")
        seen.add(key)
        if not order or order[-1] != name:
            order.append(name)
        print(json.dumps({"name": name, "labels": labels,
                          "value": int(value) if value % 1 == 0 else
                          str(value) if value == float("inf") else value}))
if len(order) != len(set(order)):
    fail("a family is in two pieces")
