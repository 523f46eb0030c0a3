"""OTLP export requests as a service would send them, as protobuf and as JSON (docs/otlp.md)."""

import json
import struct

SIGNALS = ("logs", "traces", "metrics")
TIME = 1_767_225_600_000_000_000
METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def field(number, payload):
    if isinstance(payload, str):
        payload = payload.encode()
    return tag(number, 2) + varint(len(payload)) + payload


def number(number_, value):
    return tag(number_, 0) + varint(value)


def fixed64(number_, value):
    return tag(number_, 1) + (struct.pack("<d", value) if isinstance(value, float) else struct.pack("<Q", value))


def text_value(text):
    return field(1, text)


def attribute(key, value):
    return field(1, key) + field(2, value)


def attributes(number_, random):
    return b"".join(field(number_, attribute(f"key.{i}", text_value("x" * random.randrange(20)))) for i in range(3))


def log_record(random):
    return (fixed64(1, TIME + random.randrange(10**9)) + number(2, random.randrange(25)) + field(3, "INFO") +
            field(5, text_value("something happened")) + attributes(6, random) + field(9, random.randbytes(16)) +
            field(10, random.randbytes(8)))


def span_record(random):
    event = fixed64(1, TIME) + field(2, "retry") + attributes(3, random)
    link = field(1, random.randbytes(16)) + field(2, random.randbytes(8))
    return (field(1, random.randbytes(16)) + field(2, random.randbytes(8)) + field(5, "GET /") + number(6, 2) +
            fixed64(7, TIME) + fixed64(8, TIME + random.randrange(10**9)) + attributes(9, random) + field(11, event) +
            field(13, link) + field(15, number(3, 2)))


def metric(random):
    times = fixed64(2, TIME - 10**9) + fixed64(3, TIME + random.randrange(10**12))
    kind = random.randrange(5)
    if kind == 0:
        data = field(5, field(1, attributes(7, random) + times + fixed64(4, random.random())))
    elif kind == 1:
        data = field(7, field(1, attributes(7, random) + times + fixed64(6, random.randrange(1000))) + number(2, 2) + number(3, 1))
    elif kind == 2:
        data = field(9, field(1, attributes(9, random) + times + fixed64(4, 3) + fixed64(5, 4.5) +
                              field(6, struct.pack("<3Q", 1, 1, 1)) + field(7, struct.pack("<2d", 1, 2))) + number(2, 1))
    elif kind == 3:
        buckets = number(1, 3) + field(2, varint(1) + varint(300))
        data = field(10, field(1, attributes(1, random) + times + fixed64(4, 3) + number(6, 5) + field(8, buckets)) + number(2, 2))
    else:
        data = field(11, field(1, attributes(7, random) + times + fixed64(4, 2) + fixed64(5, 1.5) +
                               field(6, fixed64(1, 0.5) + fixed64(2, 1.0))))
    return field(1, f"metric.{kind}") + field(3, "1") + data


RECORDS = {"logs": log_record, "traces": span_record, "metrics": metric}


def protobuf_of(records):
    resource = field(1, attribute("service.name", text_value("hostile")))
    scope = field(1, field(1, "rig") + field(2, "1"))
    return field(1, field(1, resource) + field(2, scope + b"".join(field(2, record) for record in records)))


def protobuf_request(signal, random):
    return protobuf_of([RECORDS[signal](random) for _ in range(1 + random.randrange(4))])


def json_attributes(random):
    values = [{"stringValue": "x" * random.randrange(20)}, {"intValue": str(random.randrange(100))}, {"doubleValue": 1.5},
              {"arrayValue": {"values": [{"boolValue": True}]}}]
    return [{"key": f"key.{i}", "value": value} for i, value in enumerate(values)]


def json_record(signal, random):
    if signal == "logs":
        return {"timeUnixNano": str(TIME), "severityNumber": 9, "body": {"stringValue": "something happened"},
                "attributes": json_attributes(random), "traceId": random.randbytes(16).hex(), "spanId": random.randbytes(8).hex()}
    if signal == "traces":
        return {"traceId": random.randbytes(16).hex(), "spanId": random.randbytes(8).hex(), "name": "GET /", "kind": 2,
                "startTimeUnixNano": str(TIME), "endTimeUnixNano": str(TIME + 1000), "attributes": json_attributes(random),
                "events": [{"timeUnixNano": str(TIME), "name": "retry"}], "status": {"code": 2}}
    point = {"timeUnixNano": str(TIME + random.randrange(10**12)), "attributes": json_attributes(random)}
    if random.random() < 0.5:
        return {"name": "gauge", "gauge": {"dataPoints": [{**point, "asDouble": random.random()}]}}
    return {"name": "histogram", "histogram": {"aggregationTemporality": 2, "dataPoints": [
        {**point, "count": "3", "sum": 4.5, "bucketCounts": ["1", "2"], "explicitBounds": [1.0]}]}}


def json_document(signal, random):
    name = {"logs": "Logs", "traces": "Spans", "metrics": "Metrics"}[signal]
    records = {"logs": "logRecords", "traces": "spans", "metrics": "metrics"}[signal]
    return {f"resource{name}": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hostile"}}]},
        f"scope{name}": [{"scope": {"name": "rig"}, records: [json_record(signal, random) for _ in range(1 + random.randrange(4))]}]}]}


def json_request(signal, random):
    return json.dumps(json_document(signal, random)).encode()
