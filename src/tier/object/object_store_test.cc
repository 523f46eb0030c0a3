#include "tier/object/object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crc32c.h"

namespace firn {
namespace {

// Answers as it is told to.
class ScriptedStore final : public ObjectStore {
 public:
  std::string name() const override { return "scripted"; }
  Result<ObjectInfo> put(const std::string&, const ObjectContent&, PutMode) override {
    return unsupported("not here");
  }
  Result<size_t> read_at(const ObjectInfo&, uint64_t offset, char* out, size_t size) override {
    const size_t count = offset < content.size() ? content.copy(out, size, offset) : 0;
    return count;
  }
  Result<ObjectInfo> head(const std::string& key) override {
    return ObjectInfo{key, announced_bytes, "", crc};
  }
  Result<ObjectPage> list_page(const std::string&, const std::string&) override {
    return pages.empty() ? ObjectPage{} : pages[std::min(page_++, pages.size() - 1)];
  }
  Status remove(const std::string&) override { return {}; }
  Status sweep(const std::string&, const std::function<bool(std::string_view)>&) override {
    return {};
  }
  void cancel() override {}
  ObjectStoreStats stats() const override { return {}; }

  std::string content = "content";
  uint64_t announced_bytes = 7;
  std::optional<uint32_t> crc = crc32c("content");
  std::vector<ObjectPage> pages;

 private:
  size_t page_ = 0;
};

Status listed(ScriptedStore* store, std::vector<std::string>* keys) {
  return list_objects(store, "a", [&](const ObjectInfo& object) {
    keys->push_back(object.key);
    return Status();
  });
}

ObjectInfo named(std::string key) { return {std::move(key), 0, "", {}}; }

TEST(ObjectKey, AcceptsOrdinaryKeys) {
  for (const char* key : {"a", "a/b", "events/namespace=1/date=2026-11-21/x.parquet", "ü/%/+ "}) {
    EXPECT_TRUE(check_object_key(key).ok()) << key;
  }
}

TEST(ObjectKey, RefusesWhatIsNoKey) {
  const std::string nul("a\0b", 3);
  for (const std::string& key :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string("a/../b"), std::string("a\nb"), nul, std::string("a.tmp"),
        std::string(1025, 'a')}) {
    EXPECT_EQ(check_object_key(key).code(), StatusCode::kInvalidArgument) << key;
  }
}

TEST(ListObjects, GoesThroughAllPages) {
  ScriptedStore store;
  store.pages = {{{named("a1"), named("a2")}, false}, {{named("a3")}, true}};
  std::vector<std::string> keys;
  EXPECT_TRUE(listed(&store, &keys).ok());
  EXPECT_THAT(keys, ::testing::ElementsAre("a1", "a2", "a3"));
}

TEST(ListObjects, NoticesAPageThatComesAgain) {
  ScriptedStore store;
  store.pages = {{{named("a1"), named("a2")}, false}};
  std::vector<std::string> keys;
  EXPECT_EQ(listed(&store, &keys).code(), StatusCode::kCorruption);
}

TEST(ListObjects, NoticesAListWithoutEnd) {
  ScriptedStore store;
  store.pages = {{{}, false}};
  std::vector<std::string> keys;
  EXPECT_EQ(listed(&store, &keys).code(), StatusCode::kCorruption);
}

TEST(ListObjects, NoticesKeysWithAnotherPrefix) {
  ScriptedStore store;
  store.pages = {{{named("b")}, true}};
  std::vector<std::string> keys;
  EXPECT_EQ(listed(&store, &keys).code(), StatusCode::kCorruption);
}

TEST(ReadObject, ReturnsTheContent) {
  ScriptedStore store;
  EXPECT_EQ(*read_object(&store, "a", 7), "content");
}

TEST(ReadObject, ComparesLengthAndChecksum) {
  ScriptedStore store;
  store.announced_bytes = 8;
  EXPECT_EQ(read_object(&store, "a", 100).status().code(), StatusCode::kCorruption);
  store.announced_bytes = 7;
  store.content = "c0ntent";
  EXPECT_EQ(read_object(&store, "a", 100).status().code(), StatusCode::kCorruption);
}

TEST(ReadObject, RefusesWhatIsTooLarge) {
  ScriptedStore store;
  EXPECT_EQ(read_object(&store, "a", 6).status().code(), StatusCode::kTooLarge);
}

TEST(VerifyObject, NoticesEveryDifference) {
  ScriptedStore store;
  const uint32_t crc = crc32c("content");
  EXPECT_TRUE(verify_object(&store, "a", 7, crc).ok());
  EXPECT_EQ(verify_object(&store, "a", 6, crc).code(), StatusCode::kCorruption);
  EXPECT_EQ(verify_object(&store, "a", 7, crc + 1).code(), StatusCode::kCorruption);
  store.content = "conten7";
  EXPECT_EQ(verify_object(&store, "a", 7, crc).code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace firn
