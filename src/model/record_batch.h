#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/time.h"
#include "model/schema.h"

namespace firn {

struct BatchColumnEntry;  // of the encoded directory; batch_format.h

// Views of one column. They point into the batch and live as long as it. An absent column answers
// with the type's default for every row.
template <typename T>
class FixedColumn {
 public:
  FixedColumn() = default;
  // `stride` 1: a value per row; 0: one value for all rows.
  FixedColumn(const T* values, uint32_t stride) : values_(values), stride_(stride) {}
  const T& operator[](uint32_t row) const { return values_[static_cast<size_t>(row) * stride_]; }
  bool is_constant() const { return stride_ == 0; }

 private:
  const T* values_ = nullptr;
  uint32_t stride_ = 0;
};

class StringColumn {
 public:
  StringColumn() = default;
  // `indexes` null: entry i is row i. Otherwise row r has entry indexes[r * index_stride].
  StringColumn(const uint32_t* indexes, uint32_t index_stride, const uint32_t* offsets,
               const char* bytes, uint32_t entries)
      : indexes_(indexes),
        offsets_(offsets),
        bytes_(bytes),
        entries_(entries),
        index_stride_(index_stride) {}
  std::string_view operator[](uint32_t row) const { return entry(entry_of(row)); }
  // Distinct values of a dictionary column; equals the row count of a plain one.
  uint32_t entries() const { return entries_; }
  bool is_dictionary() const { return indexes_ != nullptr; }
  uint32_t entry_of(uint32_t row) const {
    return indexes_ ? indexes_[static_cast<size_t>(row) * index_stride_] : row;
  }
  std::string_view entry(uint32_t index) const {
    return {bytes_ + offsets_[index], offsets_[index + 1] - offsets_[index]};
  }

 private:
  const uint32_t* indexes_ = nullptr;
  const uint32_t* offsets_ = nullptr;
  const char* bytes_ = nullptr;
  uint32_t entries_ = 0;
  uint32_t index_stride_ = 1;
};

// Memory for the bytes of a batch.
struct BatchBuffer {
  std::unique_ptr<uint64_t[]> words;  // uint64_t for 8-byte alignment
  size_t capacity_bytes = 0;
};

// Rows of one dataset as columns, in one contiguous buffer whose bytes are what the log stores
// (docs/formats/batch.md). Built once at the edge by BatchBuilder, stamped once by the commit
// thread, immutable from then on and shared.
//
// Thread rule: before stamp() one owner; afterwards any number of readers.
class RecordBatch {
 public:
  RecordBatch(const RecordBatch&) = delete;
  RecordBatch& operator=(const RecordBatch&) = delete;

  // Reads encoded bytes (copied into an aligned buffer). Checks everything that later reads rely
  // on: bounds, offsets that ascend, dictionary indexes. kCorruption with the reason otherwise.
  static Result<std::unique_ptr<RecordBatch>> parse(ByteView encoded);

  ByteView encoded() const {
    return {reinterpret_cast<const char*>(buffer_.words.get()), size_bytes_};
  }
  size_t size_bytes() const { return size_bytes_; }
  Dataset dataset() const;
  uint32_t rows() const { return rows_; }
  // Least and greatest time of the rows (inclusive). Rows are never empty.
  TimeNs time_min() const;
  TimeNs time_max() const;

  // What the commit thread decided; 0 before stamp().
  NamespaceId namespace_id() const;
  Position first_position() const;
  Position position(uint32_t row) const {
    return positions_ ? static_cast<Position>(positions_[row]) : first_position_ + row;
  }
  Position last_position() const { return position(rows_ - 1); }
  // True when the rows' positions are first_position() + row. Otherwise ascending with gaps.
  bool has_contiguous_positions() const { return positions_ == nullptr; }

  // Writes namespace, first position and stream positions in place. `stream_positions` has one
  // entry per row (kAbsentInt64 for rows without a stream) or is empty when the batch has no
  // stream column. REQUIRES: not stamped yet, built with contiguous positions.
  void stamp(NamespaceId namespace_id, Position first_position,
             std::span<const int64_t> stream_positions);
  // Whether stamp() may be called. True for every batch of BatchBuilder::add(); parsed bytes from
  // outside may say otherwise.
  bool is_stampable() const;

  // False when every row has the default value, or when a projection left the column out. The
  // position column is there only when positions have gaps: use position().
  bool has_column(ColumnId id) const { return directory_[static_cast<size_t>(id)] != nullptr; }
  // A column that the dataset has not has the default for every row. REQUIRES: the schema's type of
  // the column is the accessor's.
  FixedColumn<int64_t> int64s(ColumnId id) const;
  FixedColumn<uint8_t> uint8s(ColumnId id) const;
  FixedColumn<Id> ids(ColumnId id) const;
  FixedColumn<std::array<uint8_t, 8>> span_ids() const;
  FixedColumn<Float64> float64s(ColumnId id) const;
  StringColumn strings(ColumnId id) const;

  // Bytes the row would take alone, for limits: the sum of the sizes of its values that are not the
  // default, position left out.
  size_t row_bytes(uint32_t row) const;

 private:
  friend class BatchLayout;  // batch_format.h: what builds a batch
  friend class BatchBuilder;
  friend class BatchRecycler;
  // Reads header and directory, which must hold.
  RecordBatch(BatchBuffer buffer, size_t size_bytes);
  template <typename T>
  FixedColumn<T> fixed(ColumnId id, ColumnType type, const T& absent) const;

  BatchBuffer buffer_;
  size_t size_bytes_ = 0;
  uint32_t rows_ = 0;
  Position first_position_ = 0;
  const int64_t* positions_ = nullptr;
  std::array<const BatchColumnEntry*, kColumnIdCount> directory_{};
};

using BatchPtr = std::shared_ptr<const RecordBatch>;

// Takes the memory of batches back when the last who has one lets go, for the next ones: fresh
// pages cost as much as filling them. Keeps that of two: who reads a block looks at some columns
// before it reads the others. Batches may outlive it. Thread rule: any thread.
class BatchRecycler {
 public:
  // The memory of an earlier batch; empty when none came back.
  BatchBuffer take();
  BatchPtr share(std::unique_ptr<RecordBatch> batch);  // the last owner gives its memory back

 private:
  struct Kept {
    Mutex mutex;
    std::vector<BatchBuffer> buffers GUARDED_BY(mutex);
  };
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

// Some rows of a batch, ascending. The currency between tiers, queries and the mover: no row is
// copied until a block is packed or an answer is written.
struct BatchSlice {
  BatchPtr batch;
  // Null: every row. Otherwise ascending row numbers; never empty.
  std::shared_ptr<const std::vector<uint32_t>> selection;

  uint32_t rows() const {
    return selection ? static_cast<uint32_t>(selection->size()) : (batch ? batch->rows() : 0);
  }
  uint32_t row(uint32_t index) const { return selection ? (*selection)[index] : index; }
  // Of its rows, as their share of the batch's. REQUIRES: a batch.
  uint64_t size_bytes() const { return batch->size_bytes() * rows() / batch->rows(); }
};

// A pull stream of slices. Thread rule: one thread at a time. Destroying it early is fine.
class BatchReader {
 public:
  virtual ~BatchReader() = default;
  // Puts the next slice into `out` and returns true, or returns false at the end.
  virtual Result<bool> next(BatchSlice* out) = 0;
};

// Slices that are there already; they must stay as long as the reader.
class SlicesReader : public BatchReader {
 public:
  explicit SlicesReader(std::span<const BatchSlice> slices) : slices_(slices) {}
  Result<bool> next(BatchSlice* out) override {
    if (slices_.empty()) return false;
    *out = slices_.front();
    slices_ = slices_.subspan(1);
    return true;
  }

 private:
  std::span<const BatchSlice> slices_;
};

// One row of any dataset, for building and for answers: an event unless columns of samples or
// series are set. Views point to someone else's bytes. Defaults are "absent"; what the dataset has
// no column for is not looked at.
struct EventRow {
  TimeNs time = 0;
  int64_t observed_time = kAbsentInt64;
  Id id{};
  EventKind kind = EventKind::kEvent;
  std::string_view type{}, source{}, subject{};
  uint8_t severity = 0;
  std::string_view stream{};
  int64_t stream_position = kAbsentInt64;
  std::string_view correlation_id{};
  Id trace_id{};
  std::array<uint8_t, 8> span_id{};
  Id parent_id{};
  int64_t duration = kAbsentInt64;
  std::string_view data{}, metadata{}, context{};
  // Of samples and series (docs/formats/samples.md).
  std::string_view series{};
  Float64 value = kAbsentFloat64;
  uint8_t integer = 0;
  int64_t start_time = kAbsentInt64;
  int64_t flags = kAbsentInt64;
  std::string_view name{}, labels{}, unit{}, temporality{};
  uint8_t monotonic = 0;
  std::string_view description{};
  // Of rollups (docs/formats/rollups.md).
  int64_t count = kAbsentInt64;
  int64_t through = kAbsentInt64;
  Float64 min = kAbsentFloat64, max = kAbsentFloat64;
  Float64 first = kAbsentFloat64, last = kAbsentFloat64;
  int64_t first_time = kAbsentInt64, last_time = kAbsentInt64;
  Float64 sum_low = kAbsentFloat64;
};

EventRow event_row(const RecordBatch& batch, uint32_t row);

// A row of one of several batches.
struct RowRef {
  uint32_t batch;
  uint32_t row;
};

// Builds a RecordBatch. Thread rule: one thread. Reusable after finish().
class BatchBuilder {
 public:
  explicit BatchBuilder(Dataset dataset);
  ~BatchBuilder();
  BatchBuilder(BatchBuilder&&) noexcept;
  BatchBuilder& operator=(BatchBuilder&&) noexcept;

  void add(const EventRow& row);
  // The same for a definition of a series that no other row defines: it is not looked for.
  void add_definition(const EventRow& definition);
  // Distinct series of the rows so far.
  uint32_t series() const;
  // A row that was stamped before and comes back from a tier that does not keep batches: keeps its
  // stream position as it is. All rows of one batch have the same namespace, and positions ascend.
  void add_stamped(const EventRow& row, NamespaceId namespace_id, Position position);
  // Appends rows of an existing batch, column by column, keeping their positions and stream
  // positions. All of a builder's rows come either from add() or from add_rows(), in ascending
  // position order.
  void add_rows(const BatchSlice& slice) { add_rows(slice, 0, slice.rows()); }
  // Only the slice's rows with index in [begin, end).
  void add_rows(const BatchSlice& slice, uint32_t begin, uint32_t end);
  // Rows of several batches, in the given order. `rows` are by number of the batch.
  void add_rows(std::span<const BatchPtr> batches, std::span<const RowRef> rows);
  uint32_t rows() const;
  // What finish() would take, within a few percent.
  size_t size_bytes() const;
  // Gives the memory of a batch that nobody needs any more to later ones of this builder: fresh
  // pages cost as much as copying the rows.
  void reuse(std::unique_ptr<RecordBatch> batch);
  // The batch of all rows added; the builder is empty afterwards. REQUIRES: rows() > 0 and at most
  // 2^31 bytes.
  std::unique_ptr<RecordBatch> finish();

 private:
  friend std::unique_ptr<RecordBatch> take_rows(const RecordBatch&, std::span<const uint32_t>);
  struct State;
  std::unique_ptr<State> state_;
};

// A new, unstamped batch of some rows of an unstamped or stamped one: for the rare append of which
// a part was stored before. Stream positions that a stamp had set are absent again. REQUIRES: rows
// ascending, not empty.
std::unique_ptr<RecordBatch> take_rows(const RecordBatch& batch, std::span<const uint32_t> rows);

}  // namespace firn
