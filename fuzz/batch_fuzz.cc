// Encoded batches from anywhere: what parse() accepts must be readable in every way and keep its
// rows when it is built again and packed.

#include <cstdint>
#include <memory>
#include <utility>

#include "base/status.h"
#include "model/checksum.h"
#include "model/filter.h"
#include "model/packed.h"
#include "model/record_batch.h"

namespace firn {
namespace {

// A small input can claim many rows through constant columns; they are all the same.
constexpr uint32_t kRowsMax = 4096;

void check(BatchPtr batch) {
  FIRN_CHECK(batch->rows() > 0);
  for (uint32_t row = 0; row < batch->rows(); ++row) {
    FIRN_CHECK(batch->row_bytes(row) <= batch->size_bytes());
  }

  const BatchSlice slice{batch, nullptr};
  const uint64_t checksum = rows_checksum(slice);
  BatchBuilder builder(batch->dataset());
  builder.add_rows(slice);
  const BatchPtr built = builder.finish();
  FIRN_CHECK(rows_checksum({built, nullptr}) == checksum);
  FIRN_CHECK(RecordBatch::parse(built->encoded()).ok());

  UnpackMemory scratch;
  auto unpacked = unpack_columns(batch->dataset(), batch->namespace_id(), batch->rows(),
                                 pack_columns(*batch), &scratch);
  FIRN_CHECK(unpacked.ok());
  FIRN_CHECK(rows_checksum({std::move(*unpacked), nullptr}) == checksum);

  Filter filter;
  filter.predicates.push_back({.kind = PredicateKind::kContains, .texts = {"a"}});
  filter.predicates.push_back(
      {.kind = PredicateKind::kAttribute, .key = "a.b", .texts = {"1", "x"}});
  FIRN_CHECK(apply_filter(slice, filter).rows() <= batch->rows());
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto batch = firn::RecordBatch::parse({reinterpret_cast<const char*>(data), size});
  if (batch.ok() && (*batch)->rows() <= firn::kRowsMax) firn::check(std::move(*batch));
  return 0;
}
