// Packed columns from anywhere. The input is: u8 column id, u32 rows, then the bytes of the column.
// Their checksum is made right, for no mutation would ever hit it. They stand beside the rows'
// positions, as in every block, and columns of samples also beside a column of three series, whose
// order some of their forms need.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "model/checksum.h"
#include "model/packed.h"
#include "model/packed_format.h"

namespace firn {
namespace {

constexpr uint32_t kRowsMax = 65'536;

// Of `rows` rows of three series.
PackedColumn sound_column(Dataset dataset, ColumnId id, uint32_t rows) {
  BatchBuilder builder(dataset);
  for (uint32_t row = 0; row < rows; ++row) {
    EventRow sample;
    sample.series = std::string_view("abc").substr(row % 3, 1);
    builder.add_stamped(sample, 1, 1 + row);
  }
  for (PackedColumn& column : pack_columns(*builder.finish())) {
    if (column.id == id) return std::move(column);
  }
  FIRN_CHECK(false);
}

// The last row alone; no batch when the columns are damaged where it takes notice.
BatchSlice unpack_last(Dataset dataset, uint32_t rows, const std::vector<PackedColumn>& columns) {
  if (rows == 0) return {};
  UnpackMemory memory;
  const uint32_t selected[] = {rows - 1};
  auto batch = unpack_rows(dataset, 1, rows, columns, selected, &memory);
  if (batch.ok()) return {std::move(*batch), nullptr};
  FIRN_CHECK(batch.status().code() == StatusCode::kCorruption);
  return {};
}

void check(PackedColumn column, uint32_t rows) {
  if (column.bytes.size() >= kPackedPayloadOffset) {
    const auto header = load_le<PackedHeader>(column.bytes.data());
    store_le<uint32_t>(
        column.bytes.data() + sizeof(header),
        packed_checksum(column.id, header, ByteView(column.bytes).substr(kPackedPayloadOffset)));
  }
  const Dataset dataset =
      find_column(Dataset::kEvents, column.id) != nullptr ? Dataset::kEvents : Dataset::kSamples;
  std::vector<PackedColumn> columns = {column};
  if (dataset == Dataset::kSamples && column.id != ColumnId::kSeries && rows >= 3) {
    columns.push_back(sound_column(dataset, ColumnId::kSeries, rows));
  }
  if (column.id != ColumnId::kPosition && rows > 0) {
    columns.push_back(sound_column(dataset, ColumnId::kPosition, rows));
  }
  UnpackMemory scratch;
  auto batch = unpack_columns(dataset, 1, rows, columns, &scratch);
  const BatchSlice last = unpack_last(dataset, rows, columns);
  if (!batch.ok()) {
    FIRN_CHECK(batch.status().code() == StatusCode::kCorruption);
    return;
  }
  const BatchPtr unpacked = std::move(*batch);
  const auto selected = std::make_shared<std::vector<uint32_t>>(1, rows - 1);
  FIRN_CHECK(last.batch != nullptr);
  FIRN_CHECK(rows_checksum(last) == rows_checksum({unpacked, selected}));
  FIRN_CHECK(unpacked->rows() == rows);
  auto again = unpack_columns(dataset, 1, rows, pack_columns(*unpacked), &scratch);
  FIRN_CHECK(again.ok());
  FIRN_CHECK(rows_checksum({std::move(*again), nullptr}) == rows_checksum({unpacked, nullptr}));
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHeaderBytes = 5;
  if (size < kHeaderBytes) return 0;
  const auto rows = firn::load_le<uint32_t>(data + 1);
  const char* bytes = reinterpret_cast<const char*>(data) + kHeaderBytes;
  firn::PackedColumn column{static_cast<firn::ColumnId>(data[0]),
                            std::string(bytes, size - kHeaderBytes)};
  if (rows <= firn::kRowsMax) firn::check(std::move(column), rows);
  return 0;
}
