#include "wal/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/size.h"

namespace firn::wal {
namespace {

constexpr uint64_t kProgressBytes = 4 * kMiB;

bool is_damage(const Status& status) {
  return status.code() == StatusCode::kCorruption || status.code() == StatusCode::kUnsupported;
}

Status damaged(const std::string& path, uint64_t offset, std::string_view reason) {
  return corruption(fmt::format("{}: offset {}: {}", path, offset, reason));
}

}  // namespace

Result<size_t> LogReader::find_start(Lsn from) const {
  const std::vector<SegmentFile>& segments = listing_.segments;
  if (from.segment == 0) return size_t{0};
  const auto at = std::find_if(segments.begin(), segments.end(),
                               [&](const SegmentFile& file) { return file.id >= from.segment; });
  if (at == segments.end() || at->id != from.segment) {
    return corruption(fmt::format("{}: the log segment is missing", path_of(from.segment)));
  }
  return static_cast<size_t>(at - segments.begin());
}

Status LogReader::check_link(const SegmentHeader& previous, const SegmentHeader& header) {
  if (header.log_id != previous.log_id) return corruption("the segment belongs to another log");
  if (header.previous_segment != previous.segment_id || header.previous_end < kSegmentHeaderBytes ||
      header.previous_end > previous.file_bytes) {
    return corruption("the segment does not follow the one before");
  }
  return {};
}

Status LogReader::read_headers(size_t start, std::vector<SegmentHeader>* headers) const {
  for (size_t i = start; i < listing_.segments.size(); ++i) {
    const uint64_t id = listing_.segments[i].id;
    if (i > start && id != listing_.segments[i - 1].id + 1) {
      return corruption(
          fmt::format("{}: the log segment is missing", path_of(listing_.segments[i - 1].id + 1)));
    }
    FIRN_ASSIGN(const SegmentHeader header, read_segment_header(env_, path_of(id), id));
    if (i > start) {
      FIRN_TRY(check_link(headers->back(), header).with_context(path_of(id) + ": offset 0"));
    }
    headers->push_back(header);
  }
  return {};
}

Result<LogReader::Tail> LogReader::scan_tail(const SegmentHeader& header, Lsn from) const {
  FIRN_ASSIGN(const std::unique_ptr<SegmentReader> reader,
              SegmentReader::open(env_, path_of(header.segment_id), header));
  Tail tail;
  tail.header = header;
  tail.intact = tail.synced = {kSegmentHeaderBytes, header.crc};
  Record record;
  while (!tail.ended) {
    FIRN_ASSIGN(const bool intact, reader->next(&record));
    if (!intact) break;
    if (record.synced == record.offset) {
      tail.synced = tail.intact;
      tail.group_bytes = 0;
    }
    if (record.type == RecordType::kData && Lsn{header.segment_id, record.offset} >= from) {
      tail.group_bytes += record_bytes(record.payload.size());
    }
    tail.closed = record.type == RecordType::kClosed;
    tail.ended = record.type == RecordType::kEnd;
    tail.intact = {reader->offset(), reader->last_crc()};
  }
  tail.reason = tail.ended ? "the segment ends here" : reader->why_not();
  tail.missing_bytes = header.file_bytes - reader->limit();
  FIRN_TRY(search_behind(reader.get(), &tail));
  return tail;
}

// Every intact header behind the end is looked at: which of them proves most is not known before.
Status LogReader::search_behind(SegmentReader* reader, Tail* tail) {
  for (uint64_t from = tail->intact.offset;;) {
    FIRN_ASSIGN(const std::optional<SegmentReader::Found> found, reader->find_header(from));
    if (!found) return {};
    tail->torn = tail->torn || found->header.type != RecordType::kWitness;
    tail->proven = std::max<uint64_t>(tail->proven, found->header.synced);
    from = found->offset + kAlignmentBytes;
  }
}

// Whether the end of the newest segment can be the end of the log.
Status LogReader::judge_tail(const Tail& tail, Lsn from) const {
  const uint64_t id = tail.header.segment_id;
  if (tail.ended) {
    return corruption(
        fmt::format("{}: the log segment is missing (the one before it says that it was there)",
                    path_of(id + 1)));
  }
  if (tail.proven > tail.intact.offset) {
    return damaged(
        path_of(id), tail.intact.offset,
        fmt::format("{}; everything below offset {} had been synced", tail.reason, tail.proven));
  }
  if (from.segment == id && from.offset > tail.intact.offset) {
    return damaged(
        path_of(id), tail.intact.offset,
        fmt::format("{}; the store knows of records up to offset {}", tail.reason, from.offset));
  }
  return {};
}

Status LogReader::copy_records(const Tail& tail, Lsn from, SegmentWriter* writer) const {
  const uint64_t id = tail.header.segment_id;
  FIRN_ASSIGN(const std::unique_ptr<SegmentReader> reader,
              SegmentReader::open(env_, path_of(id), tail.header));
  Record record;
  while (reader->offset() < tail.intact.offset) {
    FIRN_ASSIGN(const bool intact, reader->next(&record));
    // It was intact a moment ago.
    if (!intact) return damaged(reader->path(), reader->offset(), reader->why_not());
    const bool in_group = record.offset >= tail.synced.offset && Lsn{id, record.offset} >= from;
    if (record.type != RecordType::kData || !in_group) continue;
    writer->add(RecordType::kData, {&record.payload, 1}, crc32c(record.payload));
    FIRN_TRY(writer->write());
  }
  return writer->sync();
}

// What was just read of the last group may be in the page cache only: its sync may never have
// been called, and after a failed one the system takes the pages for clean, so that a sync now
// would prove nothing. It may also have been acknowledged, so it must not be written in place.
Status LogReader::copy_last_group(const Tail& tail, Lsn from, SegmentFiles* files,
                                  Part* part) const {
  SegmentHeader* header = &part->header;
  header->segment_id = tail.header.segment_id + 1;
  header->file_bytes =
      align_up(kSegmentHeaderBytes + tail.group_bytes + kReservedBytes, kSegmentHeaderBytes);
  header->log_id = tail.header.log_id;
  header->previous_segment = tail.header.segment_id;
  header->previous_end = tail.synced.offset;
  header->previous_crc = tail.synced.crc;
  const auto fill = [&](std::unique_ptr<File> file) -> Status {
    const std::unique_ptr<SegmentWriter> writer = SegmentWriter::begin(std::move(file), header);
    FIRN_TRY(copy_records(tail, from, writer.get()));
    part->end = {writer->offset(), writer->last_crc()};
    return writer->mark(RecordType::kClosed);
  };
  return files->create_filled(header, fill).with_context("copying the end of the log");
}

Status LogReader::visit_part(const Part& part, Visit* visit) const {
  const uint64_t id = part.header.segment_id;
  FIRN_ASSIGN(const std::unique_ptr<SegmentReader> reader,
              SegmentReader::open(env_, path_of(id), part.header));
  uint64_t reported = 0;
  Record record;
  while (reader->offset() < part.end.offset) {
    FIRN_ASSIGN(const bool intact, reader->next(&record));
    if (!intact) {
      return damaged(reader->path(), reader->offset(),
                     fmt::format("{}; everything below offset {} had been synced",
                                 reader->why_not(), part.end.offset));
    }
    const Lsn lsn{id, record.offset};
    if (record.type == RecordType::kData && lsn >= visit->from) {
      FIRN_TRY((*visit->visit)(lsn, record.payload));
    }
    if (*visit->progress && reader->offset() - reported >= kProgressBytes) {
      reported = reader->offset();
      (*visit->progress)(std::min(visit->done + reported, visit->total), visit->total);
    }
  }
  if (reader->offset() != part.end.offset || reader->last_crc() != part.end.crc) {
    return damaged(reader->path(), reader->offset(),
                   fmt::format("the records are not those that the next segment says end at {}",
                               part.end.offset));
  }
  visit->done += part.end.offset;
  if (*visit->progress) (*visit->progress)(visit->done, visit->total);
  return {};
}

Status LogReader::replay(Lsn from, const WalReplayVisitor& visit, const Progress& progress,
                         SegmentFiles* files, LogEnd* end) {
  *end = LogEnd{};
  if (listing_.segments.empty()) {
    // A log that never had a record may be asked for its very first one.
    files->adopt(listing_);
    if (from <= Lsn{1, kSegmentHeaderBytes}) return {};
    return corruption(fmt::format("{}: the log segment is missing", path_of(from.segment)));
  }
  FIRN_ASSIGN(const size_t start, find_start(from));
  std::vector<SegmentHeader> headers;
  Status problem = read_headers(start, &headers);
  if (!problem.ok() && !is_damage(problem)) return problem;
  if (headers.empty()) return problem;
  FIRN_ASSIGN(const Tail tail, scan_tail(headers.back(), from));
  if (problem.ok()) problem = judge_tail(tail, from);

  std::vector<Part> parts;
  for (size_t i = 0; i + 1 < headers.size(); ++i) {
    parts.push_back({headers[i], {headers[i + 1].previous_end, headers[i + 1].previous_crc}});
  }
  // With damage behind it nothing is copied and nothing will be appended.
  parts.push_back({tail.header, problem.ok() ? tail.synced : tail.intact});
  if (problem.ok()) files->adopt(listing_);
  *end = {tail.header, tail.synced.offset, tail.synced.crc, tail.closed};
  if (problem.ok() && tail.group_bytes > 0) {
    Part copy;
    FIRN_TRY(copy_last_group(tail, from, files, &copy));
    *end = {copy.header, copy.end.offset, copy.end.crc, true};
    parts.push_back(copy);
  }
  Visit state{from, &visit, &progress};
  for (const Part& part : parts) state.total += part.end.offset;
  for (const Part& part : parts) FIRN_TRY(visit_part(part, &state));
  return problem;
}

Status LogReader::verify_records(SegmentReader* reader, const Place& end,
                                 std::vector<WalDamage>* damage) {
  Record record;
  while (reader->offset() < end.offset) {
    FIRN_ASSIGN(const bool intact, reader->next(&record));
    if (intact) continue;
    damage->push_back({reader->path(), reader->offset(), reader->why_not(), true});
    FIRN_ASSIGN(const std::optional<SegmentReader::Found> next,
                reader->find_header(reader->offset() + kAlignmentBytes));
    if (!next || next->offset >= end.offset) return {};
    reader->seek(*next);
  }
  if (reader->offset() != end.offset || reader->last_crc() != end.crc) {
    damage->push_back({reader->path(), std::min(reader->offset(), end.offset),
                       "the records are not those that the next segment names", true});
  }
  return {};
}

Status LogReader::verify_tail(const SegmentHeader& header, std::vector<WalDamage>* damage) const {
  FIRN_ASSIGN(const Tail tail, scan_tail(header, Lsn{}));
  const std::string path = path_of(header.segment_id);
  if (tail.missing_bytes > 0) {
    damage->push_back(
        {path, header.file_bytes - tail.missing_bytes,
         fmt::format("the file is {} bytes shorter than it was made", tail.missing_bytes), false});
  }
  if (tail.ended) {
    damage->push_back({path_of(header.segment_id + 1), 0, "the log segment is missing", true});
  } else if (tail.proven > tail.intact.offset) {
    FIRN_ASSIGN(const std::unique_ptr<SegmentReader> reader,
                SegmentReader::open(env_, path, header));
    std::vector<WalDamage> found;
    FIRN_TRY(verify_records(reader.get(), {tail.proven, 0}, &found));
    for (WalDamage& one : found) {  // the checksum at the end is not known
      if (one.offset < tail.proven) damage->push_back(std::move(one));
    }
  } else if (tail.torn) {
    damage->push_back({path, tail.intact.offset,
                       fmt::format("unacknowledged tail, ignored: {}", tail.reason), false});
  }
  return {};
}

Result<std::vector<WalDamage>> LogReader::verify() {
  std::vector<WalDamage> damage;
  std::vector<SegmentHeader> headers;  // segment_id 0: damaged
  for (size_t i = 0; i < listing_.segments.size(); ++i) {
    const uint64_t id = listing_.segments[i].id;
    Result<SegmentHeader> header = read_segment_header(env_, path_of(id), id);
    Status status = header.status();
    if (!status.ok() && !is_damage(status)) return status;
    if (i > 0 && id != listing_.segments[i - 1].id + 1) {
      damage.push_back({path_of(id - 1), 0, "the log segment is missing", true});
    } else if (status.ok() && i > 0 && headers.back().segment_id != 0) {
      status = check_link(headers.back(), *header);
    }
    if (!status.ok()) damage.push_back({path_of(id), 0, std::string(status.message()), true});
    headers.push_back(status.ok() ? *header : SegmentHeader{});
  }
  for (size_t i = 0; i < headers.size(); ++i) {
    if (headers[i].segment_id == 0) continue;
    if (i + 1 < headers.size() && headers[i + 1].previous_segment == headers[i].segment_id) {
      FIRN_ASSIGN(const std::unique_ptr<SegmentReader> reader,
                  SegmentReader::open(env_, path_of(headers[i].segment_id), headers[i]));
      FIRN_TRY(verify_records(reader.get(),
                              {headers[i + 1].previous_end, headers[i + 1].previous_crc}, &damage));
    } else {
      FIRN_TRY(verify_tail(headers[i], &damage));
    }
  }
  return damage;
}

}  // namespace firn::wal
