#pragma once

#include "store/manifest_change.h"

// Tables and changes of docs/formats/manifest.md. Internal to manifest*.cc.

namespace firn {

inline constexpr const char* kSchema = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE namespaces (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
  retention_ns INTEGER NOT NULL, description TEXT NOT NULL, token_sha256 BLOB NOT NULL);
CREATE TABLE positions (
  namespace INTEGER NOT NULL, dataset INTEGER NOT NULL, next_position INTEGER NOT NULL,
  PRIMARY KEY (namespace, dataset)) WITHOUT ROWID;
CREATE TABLE chunks (
  namespace INTEGER NOT NULL, dataset INTEGER NOT NULL, start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL, generation INTEGER NOT NULL, tier TEXT NOT NULL, state INTEGER NOT NULL,
  rows INTEGER NOT NULL, bytes INTEGER NOT NULL, raw_bytes INTEGER NOT NULL,
  time_min INTEGER NOT NULL, time_max INTEGER NOT NULL, position_min INTEGER NOT NULL,
  position_max INTEGER NOT NULL, watermark INTEGER NOT NULL, checksum INTEGER NOT NULL,
  created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, keep_until INTEGER NOT NULL,
  exported_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, dataset, start_ns, end_ns, generation)) WITHOUT ROWID;
CREATE TABLE id_lists (
  namespace INTEGER NOT NULL, dataset INTEGER NOT NULL, start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL, generation INTEGER NOT NULL, sequence INTEGER NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY (namespace, dataset, start_ns, end_ns, generation, sequence));
CREATE TABLE stream_lists (
  namespace INTEGER NOT NULL, dataset INTEGER NOT NULL, start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL, generation INTEGER NOT NULL, sequence INTEGER NOT NULL,
  is_complete INTEGER NOT NULL, hashes BLOB NOT NULL,
  PRIMARY KEY (namespace, dataset, start_ns, end_ns, generation, sequence));
CREATE TABLE stream_heads (
  namespace INTEGER NOT NULL, stream BLOB NOT NULL, next_position INTEGER NOT NULL,
  PRIMARY KEY (namespace, stream)) WITHOUT ROWID;
)";

#define FIRN_CHUNK_KEY \
  "namespace = ?1 AND dataset = ?2 AND start_ns = ?3 AND end_ns = ?4 AND generation = ?5"

inline constexpr ManifestStatement kAddNamespace{
    "namespaces", "id = ?1",
    "INSERT INTO namespaces (id, name, created_at, retention_ns, description, token_sha256) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"};
inline constexpr ManifestStatement kSetProfile{
    "namespaces", "id = ?1",
    "UPDATE namespaces SET description = ?2, token_sha256 = ?3 WHERE id = ?1"};
inline constexpr ManifestStatement kSetRetention{
    "namespaces", "id = ?1", "UPDATE namespaces SET retention_ns = ?2 WHERE id = ?1"};
inline constexpr ManifestStatement kRaisePosition{
    "positions", "namespace = ?1 AND dataset = ?2",
    "INSERT INTO positions (namespace, dataset, next_position) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET next_position = max(next_position, excluded.next_position)"};
inline constexpr ManifestStatement kDeleteNamespace[] = {
    {"namespaces", "id = ?1", "DELETE FROM namespaces WHERE id = ?1"},
    {"positions", "namespace = ?1", "DELETE FROM positions WHERE namespace = ?1"},
    {"stream_heads", "namespace = ?1", "DELETE FROM stream_heads WHERE namespace = ?1"},
    {"id_lists", "namespace = ?1", "DELETE FROM id_lists WHERE namespace = ?1"},
    {"stream_lists", "namespace = ?1", "DELETE FROM stream_lists WHERE namespace = ?1"},
    {"meta", "key GLOB 'dropped_*/' || ?1 || '/*'",
     "DELETE FROM meta WHERE key GLOB 'dropped_*/' || ?1 || '/*'"},
    {"meta", "key = 'series_limit/' || ?1", "DELETE FROM meta WHERE key = 'series_limit/' || ?1"},
    {"chunks", "namespace = ?1", "UPDATE chunks SET state = 2 WHERE namespace = ?1"}};
inline constexpr ManifestStatement kPutChunk{
    "chunks", FIRN_CHUNK_KEY,
    "INSERT OR REPLACE INTO chunks (namespace, dataset, start_ns, end_ns, generation, tier, state, "
    "rows, bytes, raw_bytes, time_min, time_max, position_min, position_max, watermark, checksum, "
    "created_at, changed_at, keep_until, exported_at) "
    "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)"};
inline constexpr ManifestStatement kForgetTombstone{
    "chunks", FIRN_CHUNK_KEY, "DELETE FROM chunks WHERE " FIRN_CHUNK_KEY " AND state = 2"};
inline constexpr ManifestStatement kForgetTombstones{"chunks", "state = 2",
                                                     "DELETE FROM chunks WHERE state = 2"};
inline constexpr ManifestStatement kAddIds{
    "id_lists", FIRN_CHUNK_KEY " AND sequence = ?6",
    "INSERT INTO id_lists (namespace, dataset, start_ns, end_ns, generation, sequence, hashes) "
    "VALUES (?1,?2,?3,?4,?5,?6,?7)"};
inline constexpr ManifestStatement kDropIds{"id_lists", FIRN_CHUNK_KEY,
                                            "DELETE FROM id_lists WHERE " FIRN_CHUNK_KEY};
inline constexpr ManifestStatement kAddStreams{
    "stream_lists", FIRN_CHUNK_KEY " AND sequence = ?6",
    "INSERT INTO stream_lists (namespace, dataset, start_ns, end_ns, generation, sequence, "
    "is_complete, hashes) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"};
inline constexpr ManifestStatement kDropStreams{"stream_lists", FIRN_CHUNK_KEY,
                                                "DELETE FROM stream_lists WHERE " FIRN_CHUNK_KEY};
// Adds the lists of generation ?6 to those of the key's, their sequence raised by ?7.
inline constexpr ManifestStatement kCopyIds{
    "id_lists", FIRN_CHUNK_KEY,
    "INSERT INTO id_lists (namespace, dataset, start_ns, end_ns, generation, sequence, hashes) "
    "SELECT namespace, dataset, start_ns, end_ns, ?5, sequence + ?7, hashes FROM id_lists "
    "WHERE namespace = ?1 AND dataset = ?2 AND start_ns = ?3 AND end_ns = ?4 AND generation = ?6"};
inline constexpr ManifestStatement kCopyStreams{
    "stream_lists", FIRN_CHUNK_KEY,
    "INSERT INTO stream_lists (namespace, dataset, start_ns, end_ns, generation, sequence, "
    "is_complete, hashes) SELECT namespace, dataset, start_ns, end_ns, ?5, sequence + ?7, "
    "is_complete, hashes FROM stream_lists WHERE namespace = ?1 AND dataset = ?2 AND "
    "start_ns = ?3 AND end_ns = ?4 AND generation = ?6"};
inline constexpr ManifestStatement kRaiseHead{
    "stream_heads", "namespace = ?1 AND stream = ?2",
    "INSERT INTO stream_heads (namespace, stream, next_position) VALUES (?1,?2,?3) "
    "ON CONFLICT DO UPDATE SET next_position = max(next_position, excluded.next_position)"};

#undef FIRN_CHUNK_KEY

}  // namespace firn
