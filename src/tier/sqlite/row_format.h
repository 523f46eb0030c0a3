#pragma once

// Layout `rows` of docs/formats/sqlite_chunk.md.

namespace firn {

inline constexpr const char* kRowsSchema = R"(
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  observed_time INTEGER,
  id TEXT,
  kind INTEGER NOT NULL,
  type TEXT,
  source TEXT,
  subject TEXT,
  severity INTEGER NOT NULL,
  stream TEXT,
  stream_position INTEGER,
  correlation_id TEXT,
  trace_id TEXT,
  span_id TEXT,
  parent_id TEXT,
  duration INTEGER,
  data TEXT,
  metadata TEXT,
  context TEXT);
CREATE INDEX events_time ON events (time);
CREATE INDEX events_stream ON events (stream) WHERE stream IS NOT NULL;
CREATE INDEX events_id ON events (id) WHERE id IS NOT NULL;
CREATE INDEX events_trace_id ON events (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX events_correlation_id ON events (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE VIEW unified_events AS
WITH split AS (
  SELECT *, ((time % 1000000000) + 1000000000) % 1000000000 AS fraction,
         CASE WHEN json_valid(context) THEN context ELSE '{}' END AS origin
  FROM events)
SELECT strftime('%Y-%m-%dT%H:%M:%S', (time - fraction) / 1000000000, 'unixepoch') ||
           printf('.%09dZ', fraction) AS time,
       id, type, source,
       coalesce(json_extract(origin, '$.resource.attributes."k8s.namespace.name"'),
                json_extract(origin, '$.namespace')) AS namespace,
       coalesce(json_extract(origin, '$.resource.attributes."k8s.cluster.name"'),
                json_extract(origin, '$.cluster')) AS cluster,
       severity, metadata, context, data, position,
       CASE kind WHEN 0 THEN 'event' WHEN 1 THEN 'message' WHEN 2 THEN 'log'
                 WHEN 3 THEN 'span' WHEN 4 THEN 'causal' ELSE kind END AS kind,
       subject, stream, stream_position, correlation_id, trace_id, span_id, parent_id,
       duration AS duration_ns, time AS time_ns, observed_time AS observed_time_ns
FROM split;
)";

}  // namespace firn
