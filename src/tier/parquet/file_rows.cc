#include "tier/parquet/file_rows.h"

#include <utility>

#include "model/checksum.h"
#include "model/raw_text.h"
#include "tier/slices.h"

namespace firn {

void FileRows::begin_file() { stats_ = {}; }

ParquetFileStats FileRows::about() const {
  ParquetFileStats about;
  about.rows = stream_.rows;
  about.raw_bytes = stream_.raw_bytes;
  return about;
}

Status FileRows::look_ahead() {
  ahead_ = {};
  while (true) {
    BatchSlice slice;
    FIRN_ASSIGN(const bool more, stream_.reader->next(&slice));
    if (!more) return {};
    FIRN_TRY(check_slices(key_, {&slice, 1}, stream_.through));
    const SliceZone zone = slice_zone(slice);
    if (zone.position_min <= seen_) {
      return internal_error("slices out of order for chunk " + key_.name());
    }
    seen_ = zone.position_max;
    ahead_ = rows_after(slice, last_);
    if (ahead_.batch != nullptr && ahead_.rows() > 0) return {};
  }
}

Result<bool> FileRows::next(BatchSlice* out) {
  if (has_ended_) return false;
  if (!std::exchange(has_begun_, true)) FIRN_TRY(look_ahead());
  if (ahead_.batch == nullptr) {
    has_ended_ = true;
    last_ = stream_.through;
    return false;
  }
  if (stats_.raw_bytes >= file_bytes_) return false;
  *out = std::move(ahead_);
  const SliceZone zone = slice_zone(*out);
  stats_.add({out->rows(), out->size_bytes(), count_raw_rows(*out), rows_checksum(*out),
              zone.time_min, zone.time_max, zone.position_min, zone.position_max});
  last_ = zone.position_max;
  FIRN_TRY(look_ahead());
  return true;
}

}  // namespace firn
