// usage: parquet_reader_sample <directory> <rows>
// Writes one chunk with the Parquet tier and prints the path of its file, for
// parquet_reader_test.mjs.
#include <cstdio>
#include <cstdlib>

#include "env/posix_env.h"
#include "tier/parquet/parquet_tier.h"
#include "tier/tier_test_util.h"

int main(int argc, char** argv) {
  using namespace firn;
  if (argc != 3) return 2;
  const uint32_t rows = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  ParquetOptions options;
  options.directory = argv[1];
  options.row_group_rows = 2048;
  auto tier = open_parquet_tier(posix_env(), options);
  FIRN_CHECK(tier.ok());
  FIRN_CHECK((*tier)->drop(test_chunk()).ok());
  const BatchSlice slice = slice_of(keyed_batch(1, rows, 1));
  FIRN_CHECK((*tier)->write(test_chunk(), {&slice, 1}, rows).ok());
  std::printf("%s\n", (*tier)->files(test_chunk()).at(0).path.c_str());
  return 0;
}
