#include <flatbuffers/flatbuffers.h>
#include <gmock/gmock.h>

#include "base/bytes.h"
#include "engine/test_engine.h"

namespace firn {
namespace {

using testing::HasSubstr;
using testing::Not;

class BytesSink : public ByteSink {
 public:
  Status write(std::string_view more) override {
    if (bytes.size() + more.size() > bytes_max) return too_large("enough");
    bytes += more;
    return {};
  }
  std::string bytes;
  size_t bytes_max = SIZE_MAX;
};

class EncodedAnswerTest : public testing::Test {
 protected:
  EncodedAnswerTest() {
    auto opened = Engine::open(posix_env(), {});
    EXPECT_TRUE(opened.ok()) << opened.status().to_string();
    engine_ = std::move(*opened);
  }

  Status run(const std::string& sql, SqlEncoding encoding) {
    request_.sql = sql;
    auto summary = engine_->run(request_, encoding, &sink_);
    if (summary.ok()) rows_ = summary->rows;
    return summary.status();
  }

  // What is behind the message at `at`: the metadata's root, and where its body begins.
  const flatbuffers::Table* message(size_t at, size_t* body) {
    EXPECT_EQ(load_le<uint32_t>(sink_.bytes.data() + at), 0xffffffffu);
    const uint32_t size = load_le<uint32_t>(sink_.bytes.data() + at + 4);
    EXPECT_EQ(size % 8, 0u);
    *body = at + 8 + size;
    return flatbuffers::GetRoot<flatbuffers::Table>(sink_.bytes.data() + at + 8);
  }

  std::unique_ptr<Engine> engine_;
  SqlRequest request_;
  BytesSink sink_;
  uint64_t rows_ = 0;
};

TEST_F(EncodedAnswerTest, ParquetIsAFile) {
  ASSERT_TRUE(
      run("SELECT range AS n, 'x' || range AS t FROM range(5000)", SqlEncoding::kParquet).ok());
  EXPECT_TRUE(sink_.bytes.starts_with("PAR1"));
  EXPECT_TRUE(sink_.bytes.ends_with("PAR1"));
  EXPECT_EQ(rows_, 5000u);
}

TEST_F(EncodedAnswerTest, ArrowIsASchemaBatchesAndTheEnd) {
  ASSERT_TRUE(run("SELECT range AS n FROM range(100000)", SqlEncoding::kArrowStream).ok());
  size_t at = 0;
  size_t body = 0;
  EXPECT_EQ(message(at, &body)->GetField<uint8_t>(6, 0), 1);  // a schema
  at = body;
  uint64_t rows = 0;
  int batches = 0;
  while (load_le<uint32_t>(sink_.bytes.data() + at + 4) != 0) {
    const auto* batch = message(at, &body);
    EXPECT_EQ(batch->GetField<uint8_t>(6, 0), 3);  // a record batch
    const auto* header = batch->GetPointer<const flatbuffers::Table*>(8);
    rows += static_cast<uint64_t>(header->GetField<int64_t>(4, 0));
    at = body + static_cast<size_t>(batch->GetField<int64_t>(10, 0));
    ++batches;
  }
  EXPECT_EQ(at + 8, sink_.bytes.size());
  EXPECT_EQ(rows, 100000u);
  EXPECT_EQ(batches, 2);
}

TEST_F(EncodedAnswerTest, LongTextsAreNotGatheredInMemory) {
  sink_.bytes_max = 20'000'000;
  for (const char* sql : {"SELECT repeat('x', 100000) FROM range(2000)",
                          "SELECT [{'a': repeat('x', 100000)}] FROM range(2000)"}) {
    sink_.bytes.clear();
    EXPECT_EQ(run(sql, SqlEncoding::kArrowStream).message(), "enough");
    EXPECT_GT(sink_.bytes.size(), 1'000'000u);
  }
}

TEST_F(EncodedAnswerTest, AnEmptyAnswerHasItsColumns) {
  ASSERT_TRUE(run("SELECT 1 AS only_column WHERE false", SqlEncoding::kArrowStream).ok());
  EXPECT_THAT(sink_.bytes, HasSubstr("only_column"));
  sink_ = BytesSink();
  ASSERT_TRUE(run("SELECT 1 AS only_column WHERE false", SqlEncoding::kParquet).ok());
  EXPECT_THAT(sink_.bytes, HasSubstr("only_column"));
}

TEST_F(EncodedAnswerTest, EveryTypeHasAForm) {
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    for (const char* value : {"NULL",
                              "true",
                              "1::TINYINT",
                              "1::UBIGINT",
                              "1::HUGEINT",
                              "1::UHUGEINT",
                              "1.5::FLOAT",
                              "1.25::DECIMAL(5,2)",
                              "'t'",
                              "'\\x00'::BLOB",
                              "'a'::ENUM('a', 'b')",
                              "'101'::BIT",
                              "DATE '2026-01-02'",
                              "TIME '01:02:03'",
                              "'01:02:03+01'::TIMETZ",
                              "TIMESTAMP '2026-01-02 03:04:05'",
                              "make_timestamp_ns(1)",
                              "now()::TIMESTAMPTZ",
                              "TIMESTAMP_S '2026-01-02 03:04:05'",
                              "TIMESTAMP_MS '2026-01-02 03:04:05'",
                              "INTERVAL 3 MONTH",
                              "uuid()",
                              "'{}'::JSON",
                              "[1, NULL]",
                              "[[1], []]",
                              "{'a': 1, 'b': ['x']}",
                              "MAP {'k': 2}",
                              "[1, 2]::INTEGER[2]",
                              "[5::HUGEINT]",
                              "union_value(a := 1)"}) {
      sink_ = BytesSink();
      const Status status = run(std::string("SELECT ") + value + " AS v", encoding);
      EXPECT_TRUE(status.ok()) << value << ": " << status.to_string();
    }
  }
}

TEST_F(EncodedAnswerTest, NothingIsLeftBehindNulls) {
  // 0x4141414141414141
  ASSERT_TRUE(run("SELECT nullif(n, n) AS m FROM "
                  "(SELECT 4702111234474983745 + 0 * range AS n FROM range(2000))",
                  SqlEncoding::kArrowStream)
                  .ok());
  EXPECT_THAT(sink_.bytes, Not(HasSubstr("AAAAAAAA")));
}

TEST_F(EncodedAnswerTest, ColumnsOfTheSameNameAreKept) {
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    EXPECT_TRUE(run("SELECT 1 AS a, 2 AS a", encoding).ok());
  }
}

TEST_F(EncodedAnswerTest, NumbersThatDoNotFitAreRefused) {
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    EXPECT_EQ(run("SELECT 170141183460469231731687303715884105727::HUGEINT", encoding).code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(EncodedAnswerTest, PlansAreAnswersToo) {
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    EXPECT_TRUE(run("EXPLAIN SELECT 1", encoding).ok());
    EXPECT_EQ(rows_, 1u);
  }
}

TEST_F(EncodedAnswerTest, TooManyRowsEndTheStatement) {
  request_.rows_limit = 3000;
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    const Status status = run("FROM range(1000000000000)", encoding);
    EXPECT_EQ(status.code(), StatusCode::kTooLarge);
    EXPECT_THAT(std::string(status.message()), HasSubstr("query_rows (3000)"));
  }
}

TEST_F(EncodedAnswerTest, TheSinkEndsTheStatement) {
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    sink_ = BytesSink();
    sink_.bytes_max = 1'000'000;
    const Status status = run("SELECT hash(range) FROM range(1000000)", encoding);
    EXPECT_EQ(status.code(), StatusCode::kTooLarge);
    EXPECT_EQ(status.message(), "enough");
  }
}

TEST_F(EncodedAnswerTest, TimeEndsTheStatement) {
  request_.time_limit_ns = 50 * kMillisecondNs;
  for (const SqlEncoding encoding : {SqlEncoding::kParquet, SqlEncoding::kArrowStream}) {
    EXPECT_EQ(run("SELECT count(*) FROM range(1000000) a, range(1000000) b", encoding).code(),
              StatusCode::kDeadlineExceeded);
  }
}

}  // namespace
}  // namespace firn
