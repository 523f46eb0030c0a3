#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/test_directory.h"

namespace firn {
namespace {

using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  std::string write_file(const std::string& name, const std::string& text) {
    const std::string path = directory_.file(name);
    EXPECT_TRUE(replace_file(posix_env(), path, text).ok());
    return path;
  }
  Result<LoadedConfig> load(const std::string& file_text,
                            std::vector<std::pair<std::string, std::string>> flags = {}) {
    ConfigSources sources;
    if (!file_text.empty()) sources.file = write_file("firn.yaml", file_text);
    sources.flags = std::move(flags);
    return load_config(posix_env(), sources);
  }
  std::string error_of(const std::string& file_text,
                       std::vector<std::pair<std::string, std::string>> flags = {}) {
    const auto loaded = load(file_text, std::move(flags));
    return loaded.ok() ? "ok" : std::string(loaded.status().message());
  }
  static const ConfigEntry& entry(const LoadedConfig& loaded, const std::string& name) {
    for (const ConfigEntry& candidate : loaded.entries) {
      if (candidate.name == name) return candidate;
    }
    static const ConfigEntry none;
    ADD_FAILURE() << "no entry " << name;
    return none;
  }

  TestDirectory directory_;
};

TEST_F(ConfigTest, NothingGivenIsTheDefault) {
  const auto loaded = load("");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.listen, "127.0.0.1:7311");
  EXPECT_EQ(loaded->config.store.data_dir, "firn-data");
  EXPECT_EQ(loaded->config.store.tiers.size(), 3u);
  EXPECT_TRUE(loaded->config.otlp_http.is_default && loaded->config.otlp_grpc.is_default);
  EXPECT_EQ(entry(*loaded, "listen").origin, ConfigOrigin::kDefault);
}

TEST_F(ConfigTest, EveryShownValueCanBeGivenBack) {
  const auto defaults = load("");
  ASSERT_TRUE(defaults.ok());
  std::vector<std::pair<std::string, std::string>> flags;
  for (const ConfigEntry& setting : defaults->entries) {
    flags.emplace_back(setting.name, setting.value);
  }
  const auto again = load("", flags);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  for (size_t i = 0; i < again->entries.size(); ++i) {
    EXPECT_EQ(again->entries[i].value, defaults->entries[i].value);
    EXPECT_EQ(again->entries[i].origin, ConfigOrigin::kFlag);
  }
}

TEST_F(ConfigTest, AFlagWinsOverTheFile) {
  const auto loaded = load("listen: 127.0.0.1:1\nquery_time: 5s\n",
                           {{"listen", "127.0.0.1:2"}, {"wal.segment-size", "8MiB"}});
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.listen, "127.0.0.1:2");
  EXPECT_EQ(loaded->config.limits.query_time_ns, 5 * kSecondNs);
  EXPECT_EQ(loaded->config.store.wal_segment_bytes, 8 * kMiB);
  EXPECT_EQ(entry(*loaded, "listen").origin, ConfigOrigin::kFlag);
  EXPECT_EQ(entry(*loaded, "query_time").origin, ConfigOrigin::kFile);
  EXPECT_THAT(entry(*loaded, "query_time").source, HasSubstr("firn.yaml"));
}

TEST_F(ConfigTest, NestedAndDottedNamesAreTheSame) {
  const auto loaded = load("wal: {segment_size: 2MiB}\nwal.group_size: 1MiB\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.store.wal_segment_bytes, 2 * kMiB);
  EXPECT_EQ(loaded->config.store.wal_group_bytes, 1 * kMiB);
}

TEST_F(ConfigTest, TheLogIsChosen) {
  const auto loaded = load("wal: {type: rocksdb}\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.store.wal_type, WalType::kRocksdb);
  EXPECT_EQ(entry(*loaded, "wal.type").value, "rocksdb");
}

TEST_F(ConfigTest, JsonIsReadToo) {
  const auto loaded = load(R"({"listen": "127.0.0.1:9", "otlp": {"http": "off"}})");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.listen, "127.0.0.1:9");
  EXPECT_TRUE(loaded->config.otlp_http.is_off());
}

TEST_F(ConfigTest, AnUnknownNameIsRefusedWithTheNearest) {
  EXPECT_THAT(error_of("lisen: 127.0.0.1:1\n"), HasSubstr("did you mean 'listen'?"));
  EXPECT_THAT(error_of("", {{"data-dri", "x"}}), HasSubstr("did you mean 'data_dir'?"));
  EXPECT_THAT(error_of("zzzzzzzzzzz: 1\n"), HasSubstr("there is no setting 'zzzzzzzzzzz'"));
}

TEST_F(ConfigTest, ABadValueIsRefusedWithItsPlace) {
  EXPECT_THAT(error_of("query_time: soon\n"),
              HasSubstr("firn.yaml: query_time is 'soon'; it must be a duration"));
  EXPECT_THAT(error_of("", {{"max-memory", "1TBB"}}), HasSubstr("--max-memory"));
  EXPECT_THAT(error_of("io_threads: 0\n"), HasSubstr("from 1 to 64"));
  EXPECT_THAT(error_of("unsafe_open: yes\n"), HasSubstr("true or false"));
  EXPECT_THAT(error_of("wal: {type: leveldb}\n"),
              HasSubstr("wal.type is 'leveldb'; it must be segment or rocksdb"));
}

TEST_F(ConfigTest, ANameGivenTwiceIsRefused) {
  EXPECT_THAT(error_of("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n"),
              HasSubstr("line 2: 'listen' is given more than once"));
}

TEST_F(ConfigTest, FilesThatCannotBeReadAreNamed) {
  ConfigSources sources;
  sources.file = directory_.file("missing.yaml");
  const auto loaded = load_config(posix_env(), sources);
  EXPECT_EQ(loaded.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("missing.yaml"));
  EXPECT_THAT(error_of("listen: [unclosed\n"), HasSubstr("not YAML"));
  EXPECT_THAT(error_of("just a text\n"), HasSubstr("name: value"));
}

TEST_F(ConfigTest, AnOpenAddressNeedsToBeCalledUnsafe) {
  EXPECT_THAT(error_of("listen: 0.0.0.0:7311\n"), HasSubstr("--unsafe-open"));
  EXPECT_THAT(error_of("otlp.http: 0.0.0.0:4318\n"), HasSubstr("otlp.http"));
  EXPECT_THAT(error_of("otlp.grpc: 0.0.0.0:4317\n"), HasSubstr("otlp.grpc"));
  EXPECT_EQ(error_of("listen: 0.0.0.0:7311\nunsafe_open: true\n"), "ok");
  EXPECT_EQ(error_of("listen: \"[::1]:7311\"\n"), "ok");
}

TEST_F(ConfigTest, MalformedAddressesAreRefused) {
  EXPECT_THAT(error_of("listen: localhost\n"), HasSubstr("ADDRESS:PORT"));
  EXPECT_THAT(error_of("listen: 127.0.0.1:99999\n"), HasSubstr("ADDRESS:PORT"));
  EXPECT_THAT(error_of("listen: \"127.0.0.1:\"\n"), HasSubstr("ADDRESS:PORT"));
}

TEST_F(ConfigTest, TiersAreReadWithEverythingTheySay) {
  const auto loaded = load(
      "tiers:\n"
      "  - {name: hot, backend: memory, keep: 2h, max_memory: 100MiB}\n"
      "  - {name: warm, backend: sqlite, keep: 7d, directory: w, layout: rows,\n"
      "     promoted_attributes: [k8s.pod.name, cluster]}\n"
      "  - {name: cold, backend: parquet, keep: forever, url: 'file:./c'}\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const auto& tiers = loaded->config.store.tiers;
  ASSERT_EQ(tiers.size(), 3u);
  EXPECT_EQ(tiers[0].keep_ns, 2 * kHourNs);
  EXPECT_EQ(tiers[0].max_memory_bytes, 100 * kMiB);
  EXPECT_EQ(tiers[1].layout, "rows");
  EXPECT_THAT(tiers[1].promoted_attributes, ::testing::ElementsAre("k8s.pod.name", "cluster"));
  EXPECT_EQ(tiers[2].directory, "c");
  EXPECT_EQ(tiers[2].keep_ns, kForever);
}

TEST_F(ConfigTest, ATierOnS3IsReadAndPrintedTheSame) {
  const auto loaded = load(
      "tiers:\n"
      "  - {name: hot, backend: memory, keep: 2h}\n"
      "  - {name: cold, backend: parquet, url: 's3://bucket/a/b', region: eu-central-1,\n"
      "     endpoint: 'https://host:9000', path_style: true, credentials: file, profile: p,\n"
      "     ca_file: /ca.pem, cache: 2GiB}\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const TierConfig& tier = loaded->config.store.tiers[1];
  EXPECT_EQ(tier.url, "s3://bucket/a/b");
  EXPECT_EQ(tier.directory, "cold");
  EXPECT_EQ(tier.s3.region, "eu-central-1");
  EXPECT_EQ(tier.s3.endpoint, "https://host:9000");
  EXPECT_EQ(tier.s3.path_style, "true");
  EXPECT_EQ(tier.s3.credentials, "file");
  EXPECT_EQ(tier.s3.profile, "p");
  EXPECT_EQ(tier.s3.ca_file, "/ca.pem");
  EXPECT_EQ(tier.s3.cache_bytes, 2 * kGiB);
  const auto again = parse_tiers(format_tiers(loaded->config.store.tiers));
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_EQ((*again)[1].url, tier.url);
  EXPECT_EQ((*again)[1].s3, tier.s3);
}

TEST_F(ConfigTest, PoliciesAndDestinationsAreReadAndPrintedTheSame) {
  const auto loaded = load(
      "tiers:\n"
      "  - {name: hot, backend: memory, keep: 2h, datasets: {events: {keep: 1h}}}\n"
      "  - {name: warm, backend: sqlite, directory: w, keep: 30d, compress_after: 7d,\n"
      "     max_bytes: 20GiB, datasets: {events: {keep: 60d, compress_after: 1d,\n"
      "     max_bytes: 1GiB}}}\n"
      "  - {name: cold, backend: parquet, directory: c}\n"
      "exports:\n"
      "  - {name: lake, url: 'file:/lake', columns: [host, 'n:integer']}\n"
      "  - {name: sea, url: 's3://bucket/sea', region: eu-central-1}\n"
      "drop_oldest_below_free: 5GiB\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const StoreOptions& store = loaded->config.store;
  EXPECT_EQ(keep_of(store.tiers[0], Dataset::kEvents), kHourNs);
  EXPECT_EQ(store.tiers[1].compress_after_ns, 7 * kDayNs);
  EXPECT_EQ(store.tiers[1].max_bytes, 20 * kGiB);
  EXPECT_EQ(compress_after_of(store.tiers[1], Dataset::kEvents), kDayNs);
  EXPECT_EQ(store.drop_oldest_below_free_bytes, 5 * kGiB);
  const auto tiers = parse_tiers(format_tiers(store.tiers));
  ASSERT_TRUE(tiers.ok()) << tiers.status().to_string();
  EXPECT_EQ((*tiers)[1].max_bytes, store.tiers[1].max_bytes);
  EXPECT_EQ((*tiers)[1].compress_after_ns, store.tiers[1].compress_after_ns);
  EXPECT_EQ((*tiers)[1].datasets, store.tiers[1].datasets);
  const auto exports = parse_exports(format_exports(store.exports));
  ASSERT_TRUE(exports.ok()) << exports.status().to_string();
  ASSERT_EQ(exports->size(), 2u);
  EXPECT_EQ((*exports)[0].directory, "/lake");
  EXPECT_EQ((*exports)[0].columns, store.exports[0].columns);
  EXPECT_EQ((*exports)[0].columns.size(), 2u);
  EXPECT_EQ((*exports)[1].url, "s3://bucket/sea");
  EXPECT_EQ((*exports)[1].directory, "exports/sea");
  EXPECT_EQ((*exports)[1].s3, store.exports[1].s3);
}

TEST_F(ConfigTest, PasswordOfATierIsMasked) {
  const auto tiers = parse_tiers(
      R"([{name: hot, backend: memory, keep: 1h}, {name: warm, backend: postgres, keep: forever,)"
      R"( dsn: "host=db password=secret dbname=firn", schema: events, layout: rows}])");
  ASSERT_TRUE(tiers.ok()) << tiers.status().to_string();
  EXPECT_EQ((*tiers)[1].dsn, "host=db password=secret dbname=firn");
  EXPECT_EQ((*tiers)[1].schema, "events");
  const std::string shown = format_tiers(*tiers);
  EXPECT_EQ(shown.find("secret"), std::string::npos) << shown;
  EXPECT_NE(shown.find("password=****"), std::string::npos) << shown;
}

TEST_F(ConfigTest, ATierThatCannotBeAppliedIsRefused) {
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, compress_after: 7d}]\n"),
              HasSubstr("compress_after does not apply to backend memory"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, datasets: {evnts: {keep: 1h}}}]\n"),
              HasSubstr("there is no dataset 'evnts'"));
  EXPECT_THAT(
      error_of("tiers: [{name: hot, backend: memory, datasets: {events: {layout: rows}}}]\n"),
      HasSubstr("not 'layout'"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, keep: 1h}, {name: warm, "
                       "backend: sqlite, directory: w, keep: 7d, compress_after: 7d}]\n"),
              HasSubstr("nothing would ever be compressed"));
  EXPECT_THAT(error_of("exports: [{name: lake, url: 'file:/lake', keep: 7d}]\n"),
              HasSubstr("no 'keep'"));
  EXPECT_THAT(error_of("exports: [{name: lake}]\n"), HasSubstr("a directory is needed"));
  EXPECT_THAT(error_of("exports: [{name: lake, directory: cold}]\n"),
              HasSubstr("keeps its chunks"));
  EXPECT_THAT(error_of("drop_oldest_below_free: 1MiB\n"), HasSubstr("above disk_reserve"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, kep: 7d}]\n"),
              HasSubstr("did you mean 'keep'?"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, keep: long}]\n"),
              HasSubstr("tiers: line 1: 'hot': keep is 'long'"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, keep: 1h}, "
                       "{name: cold, backend: parquet, url: 'ftp://b'}]\n"),
              HasSubstr("'ftp://b' is not supported"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, keep: 1h}, "
                       "{name: cold, backend: parquet, url: 's3://b'}]\n"),
              HasSubstr("'b' is no bucket"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, keep: 1h}, "
                       "{name: cold, backend: parquet, url: 'file:c', directory: d}]\n"),
              HasSubstr("not both"));
  EXPECT_THAT(error_of("tiers: [{name: hot, backend: memory, keep: 1h}, "
                       "{name: cold, backend: parquet, directory: d, region: r}]\n"),
              HasSubstr("without a url"));
  EXPECT_THAT(error_of("tiers: []\n"), HasSubstr("tiers: write a list, such as"));
  EXPECT_THAT(error_of("exports: lake\n"), HasSubstr("exports: write a list, such as"));
  EXPECT_THAT(error_of("exports: [{name: lake, dir: x}]\n"),
              HasSubstr("exports: line 1: 'lake': there is no member 'dir'"));
  EXPECT_THAT(error_of("tiers: [{name: warm, backend: sqlite, directory: w}]\n"),
              HasSubstr("first tier must have backend memory"));
}

TEST(NearestName, IsNothingWhenAllAreFarAway) {
  EXPECT_EQ(nearest_name("lsten", {"listen", "data_dir"}), "listen");
  EXPECT_EQ(nearest_name("xyz", {"listen", "data_dir"}), std::nullopt);
}

TEST(ConfigSettings, HaveFlagsAndVariables) {
  for (const SettingInfo& info : config_settings()) {
    if (info.name != "wal.segment_size") continue;
    EXPECT_EQ(info.flag, "--wal.segment-size");
    EXPECT_EQ(info.environment_variable, "FIRN_WAL_SEGMENT_SIZE");
    return;
  }
  ADD_FAILURE() << "no wal.segment_size";
}

}  // namespace
}  // namespace firn
