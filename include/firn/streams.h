#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <firn/database.h>
#include <firn/event.h>
#include <firn/status.h>

namespace firn {

// A message as a program appends it. The views must stay valid during the call.
struct Message {
  std::string_view stream{};    // required
  std::string_view type{};      // required
  std::string_view data{};      // JSON, kept byte by byte
  std::string_view metadata{};  // JSON or empty
  std::string_view id{};        // UUID or 32 hexadecimal digits; empty: made by the store
  int64_t time_ns = 0;          // since the Unix epoch, UTC; 0: now
};

// A condition of an append: the position of the stream's last message; -1: it has none.
struct StreamCondition {
  std::string stream;
  int64_t version = -1;
};

struct MessagePlace {
  uint64_t position = 0;        // in the namespace
  int64_t stream_position = 0;  // in its stream
};

struct AppendedMessages {
  std::vector<MessagePlace> places;  // one for each message; the original ones of duplicates
  uint32_t duplicates = 0;           // that were stored before, by their id
};

// A part of a stream, by positions of the stream.
struct StreamRange {
  int64_t from = 0;  // the first, or backward the last; INT64_MAX backward: the stream's last
  bool backward = false;
  uint64_t limit = 1000;
};

// A part of a category or of all streams, by positions of the namespace.
struct CategoryRange {
  uint64_t from = 1;  // the first, or backward the last
  bool backward = false;
  uint64_t limit = 1000;
  std::string correlation{};     // only messages that correlate with this category
  int64_t member = 0, size = 1;  // only this member's streams, when size is above 1
};

// Fewer messages than the limit only at the end of the data.
struct MessagePage {
  std::vector<StoredEvent> messages;
  uint64_t dropped = 0;  // missing, because their chunk was dropped (docs/streams.md)
};

struct StreamDescription {
  std::string name;
  int64_t version = -1;
  std::optional<int64_t> last_time_ns;  // nothing when all its messages were dropped
};
struct CategoryDescription {
  std::string name;
  uint64_t streams = 0, messages = 0;
};

// What a subscription follows: a stream, a category, or all streams when both are empty.
struct Following {
  std::string stream{}, category{};
  uint64_t after = 0;  // messages behind this position of the namespace
  int64_t member = 0, size = 1;
};

// Follows messages until it is destroyed, which waits for a running call of its functions, so it
// must not happen in one.
class StreamFollower {
 public:
  ~StreamFollower();
  StreamFollower(const StreamFollower&) = delete;
  StreamFollower& operator=(const StreamFollower&) = delete;

 private:
  friend class Streams;
  struct Parts;
  explicit StreamFollower(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// The event-sourced streams of one namespace of a database (docs/streams.md). A value; the database
// must outlive it. Thread rule: every method from any thread.
class Streams {
 public:
  Streams(Database* database, std::string name_space)
      : database_(database), name_space_(std::move(name_space)) {}

  // Stores all messages, for one stream or several, or none, and waits until they are durable.
  // kConflict when a condition does not hold (the message names stream, expected and actual
  // version) or an id is stored with other content; kInvalidArgument and kTooLarge for a message
  // that cannot be; else as Database::append().
  Result<AppendedMessages> append(std::span<const Message> messages,
                                  std::span<const StreamCondition> conditions = {});

  // Fail with kTooLarge when the messages have more than 64 MiB together, else as reads do.
  Result<MessagePage> read_stream(const std::string& stream, const StreamRange& range = {});
  Result<MessagePage> read_category(const std::string& category, const CategoryRange& range = {});
  Result<MessagePage> read_all(const CategoryRange& range = {});

  // The stream's last message, of this type unless it is empty.
  Result<std::optional<StoredEvent>> last(const std::string& stream, const std::string& type = "");
  // The position of the stream's last message, dropped or not; -1 when it has none.
  Result<int64_t> version(const std::string& stream);

  // Streams behind `after` whose names begin with `prefix`, ascending by bytes.
  Result<std::vector<StreamDescription>> list_streams(const std::string& prefix = "",
                                                      const std::string& after = "",
                                                      uint32_t limit = 1000);
  Result<std::vector<CategoryDescription>> list_categories();

  // Calls `on_message` with every message that is followed, stored or to come, once and in order,
  // from a thread of its own. It may take its time: nothing is buffered but a page. When reading
  // fails, `on_end` is called with why, and nothing more.
  Result<std::unique_ptr<StreamFollower>> follow(
      const Following& what, std::function<void(const StoredEvent&)> on_message,
      std::function<void(const Status&)> on_end = nullptr);

 private:
  Database* database_;
  std::string name_space_;
};

}  // namespace firn
