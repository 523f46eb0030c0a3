// Messages between Firn, a real PostgreSQL with Message DB's table, and CSV.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/csv_messages.h"
#include "cli/migration.h"
#include "env/test_directory.h"
#include "env/test_postgres.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

class MigrateTest : public ::testing::Test {
 protected:
  std::unique_ptr<Place> place(const std::string& name) {
    PlaceOptions options;
    options.data_dir = directory_.file(name);
    auto opened = Place::open(options);
    EXPECT_TRUE(opened.ok()) << opened.status().to_string();
    return std::move(*opened);
  }
  static std::string lines(Place* from) {
    std::string text;
    const Status status = from->export_lines("", [&](std::string_view line) {
      text += std::string(line) + "\n";
      return Status();
    });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return text;
  }
  void write_file(const std::string& name, const std::string& content) {
    ASSERT_TRUE(replace_file(posix_env(), directory_.file(name), content).ok());
  }

  TestDirectory directory_;
};

class MigratePostgresTest : public MigrateTest {
 protected:
  void SetUp() override {
    server_ = TestPostgres::shared();
    if (server_ == nullptr) GTEST_SKIP() << "no PostgreSQL";
    source_ = make_schema();
  }
  // The table and the indexes of Message DB 1.3.
  std::string make_schema() {
    const std::string schema = TestPostgres::new_schema();
    server_->run("CREATE SCHEMA " + schema + "; CREATE TABLE " + schema +
                 ".messages (global_position bigserial NOT NULL, position bigint NOT NULL, "
                 "time timestamp without time zone DEFAULT (now() AT TIME ZONE 'utc') NOT NULL, "
                 "stream_name text NOT NULL, type text NOT NULL, data jsonb, metadata jsonb, "
                 "id uuid NOT NULL DEFAULT gen_random_uuid(), PRIMARY KEY (global_position)); "
                 "CREATE UNIQUE INDEX " +
                 schema + "_id ON " + schema +
                 ".messages (id); "
                 "CREATE UNIQUE INDEX " +
                 schema + "_stream ON " + schema + ".messages (stream_name, position)");
    return schema;
  }
  void fill(const std::string& schema, int streams, int messages) {
    server_->run("INSERT INTO " + schema +
                 ".messages (position, time, stream_name, type, data, metadata) "
                 "SELECT p, timestamp '2026-01-02 03:04:05.678901' + p * interval '1 minute', "
                 "'account-' || s, 'Type' || p % 3, jsonb_build_object('n', 12345678901234567890, "
                 "'t', E'\"quoted\" \\n, line'), CASE WHEN p % 2 = 0 THEN "
                 "jsonb_build_object('correlationStreamName', 'job-' || s) END "
                 "FROM generate_series(0, " +
                 std::to_string(messages - 1) + ") p, generate_series(1, " +
                 std::to_string(streams) + ") s ORDER BY p, s");
  }
  // How many messages of one schema the other has not just so.
  int64_t differences(const std::string& a, const std::string& b) {
    const std::string columns =
        "SELECT id, stream_name, type, position, global_position, data, metadata, time FROM ";
    return server_->number("SELECT count(*) FROM (" + columns + a + ".messages EXCEPT " + columns +
                           b + ".messages) d") +
           server_->number("SELECT count(*) FROM (" + columns + b + ".messages EXCEPT " + columns +
                           a + ".messages) d");
  }

  TestPostgres* server_ = nullptr;
  std::string source_;
};

TEST_F(MigratePostgresTest, AMessageDbComesAndGoesUnchanged) {
  fill(source_, 30, 50);
  const auto firn = place("data");
  Migrated in, out;
  Status status = migrate_from_postgres(server_->dsn(), source_, firn.get(), &in);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(in.messages, 1500u);
  const std::string target = make_schema();
  status = migrate_to_postgres(firn.get(), server_->dsn(), target, &out);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(out.messages, 1500u);
  EXPECT_EQ(differences(source_, target), 0);
  server_->run("INSERT INTO " + target +
               ".messages (position, stream_name, type) VALUES (0, 'new-1', 'T')");
  EXPECT_EQ(server_->number("SELECT max(global_position) FROM " + target + ".messages"), 1501);
}

TEST_F(MigratePostgresTest, ASecondRunBringsWhatCameMeanwhile) {
  fill(source_, 3, 10);
  const auto firn = place("data");
  Migrated migrated;
  ASSERT_TRUE(migrate_from_postgres(server_->dsn(), source_, firn.get(), &migrated).ok());
  server_->run("INSERT INTO " + source_ +
               ".messages (position, stream_name, type, data) VALUES (10, 'account-1', 'T', '{}')");
  const Status again = migrate_from_postgres(server_->dsn(), source_, firn.get(), &migrated);
  ASSERT_TRUE(again.ok()) << again.to_string();
  EXPECT_EQ(migrated.messages, 1u);
  EXPECT_EQ(migrated.skipped, 30u);
  const std::string target = make_schema();
  for (const uint64_t skipped : {0, 31}) {
    ASSERT_TRUE(migrate_to_postgres(firn.get(), server_->dsn(), target, &migrated).ok());
    EXPECT_EQ(migrated.skipped, skipped);
  }
  EXPECT_EQ(differences(source_, target), 0);
}

TEST_F(MigratePostgresTest, WhatIsInTheWayIsNamed) {
  fill(source_, 1, 2);
  const auto firn = place("data");
  Migrated migrated;
  ASSERT_TRUE(migrate_from_postgres(server_->dsn(), source_, firn.get(), &migrated).ok());
  server_->run("UPDATE " + source_ + ".messages SET stream_name = 'account-9' WHERE position = 1");
  EXPECT_FALSE(migrate_from_postgres(server_->dsn(), source_, firn.get(), &migrated).ok());
  EXPECT_EQ(migrate_to_postgres(firn.get(), server_->dsn(), source_, &migrated).code(),
            StatusCode::kConflict);
  const Status none = migrate_from_postgres(server_->dsn(), "nowhere", firn.get(), &migrated);
  EXPECT_EQ(none.code(), StatusCode::kNotFound);
  EXPECT_THAT(std::string(none.message()), HasSubstr("nowhere"));
}

TEST_F(MigrateTest, CsvComesAndGoesUnchanged) {
  // The order of Timescale's export, a time with a zone, and text over two lines.
  write_file("in.csv",
             "time,global_position,position,stream_name,type,data,metadata,id\n"
             "2026-01-02 03:04:05.5+00,1,0,a-1,T,\"{\"\"n\"\": 12345678901234567890}\",,"
             "01900000-0000-7000-8000-000000000001\n"
             "2026-01-02 03:04:06,2,0,\"b,1\",T,{},\"{\"\"m\"\":\n1}\","
             "01900000-0000-7000-8000-000000000002\n");
  const auto first = place("first");
  Migrated migrated;
  Status status = migrate_from_csv(directory_.file("in.csv"), first.get(), &migrated);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(migrated.messages, 2u);
  const std::string exported = lines(first.get());
  EXPECT_THAT(exported, HasSubstr(R"("stream":"b,1","type":"T","pos":0,"gpos":2)"));
  EXPECT_THAT(exported, HasSubstr(R"("data":{"n": 12345678901234567890})"));
  EXPECT_THAT(exported, HasSubstr(R"("time":"2026-01-02T03:04:05.5Z")"));
  Migrated out, back;
  ASSERT_TRUE(migrate_to_csv(first.get(), directory_.file("out.csv.gz"), &out).ok());
  const auto second = place("second");
  status = migrate_from_csv(directory_.file("out.csv.gz"), second.get(), &back);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(lines(second.get()), exported);
}

TEST_F(MigrateTest, TheRecordThatIsWrongIsNamed) {
  const std::string heading = "id,stream_name,type,position,time\n";
  const auto message_of = [&](const std::string& content) {
    write_file("wrong.csv", content);
    const auto source = LineSource::open(posix_env(), directory_.file("wrong.csv"));
    const Status status = read_csv_messages(source->get(), [](auto) { return Status(); });
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message_of("id,type\n"), HasSubstr("stream_name"));
  EXPECT_THAT(message_of(""), HasSubstr("heading"));
  EXPECT_THAT(message_of(heading + "x,s,T,0,2026-01-01\nx,s,T,one,2026-01-01\n"),
              HasSubstr("record 2: position is 'one'"));
  EXPECT_THAT(message_of(heading + "x,s,T,0,never\n"), HasSubstr("record 1: time is 'never'"));
}

}  // namespace
}  // namespace firn
