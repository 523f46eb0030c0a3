#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "server/api_face.h"
#include "server/eventodb_rpc.h"
#include "wire/json_reader.h"

// The method batch, which EventoDB does not have (docs/eventodb.md): calls in one request.

namespace firn {

namespace {

constexpr size_t kBatchCallsMax = 1000;

// A call of a batch. Its arguments are views of the request's body.
struct BatchedCall {
  EventodbCall call;
  bool is_write = false;
  std::string answer;  // as it stands in the batch's; empty until there is one
};

// Runs the calls in order and answers when the last one has. Writes that follow each other are
// under way together, and the store keeps their order; every other call waits for all before it,
// and all behind wait for it. Thread rule: any thread. Holds no store: answers come on the store's
// threads, too.
class BatchRun : public std::enable_shared_from_this<BatchRun> {
 public:
  BatchRun(Services* services, HttpRequestPtr request, Responder respond,
           std::vector<BatchedCall> calls)
      : services_(services),
        request_(std::move(request)),
        respond_(std::move(respond)),
        calls_(std::move(calls)) {}

  // Starts what may start.
  void run() EXCLUDES(mutex_) {
    if (!begin_starting()) return;
    bool is_done = false;
    while (const auto index = next_to_start(&is_done)) start(*index);
    if (is_done) answer();
  }

 private:
  // False when another thread does it; it looks again before it stops.
  bool begin_starting() EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    return !std::exchange(starting_, true);
  }

  std::optional<size_t> next_to_start(bool* is_done) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    if (may_start()) {
      ++running_;
      return next_++;
    }
    starting_ = false;
    *is_done = next_ == calls_.size() && running_ == 0;
    return std::nullopt;
  }

  bool may_start() const REQUIRES(mutex_) {
    if (next_ == calls_.size()) return false;
    return running_ == 0 || (calls_[next_].is_write && calls_[next_ - 1].is_write);
  }

  void start(size_t index) EXCLUDES(mutex_) {
    const Responder respond([self = shared_from_this(), index](HttpResponse response) {
      self->finish(index, std::move(response));
    });
    HttpResponse refusal;
    EventodbCaller caller;
    if (!authenticate(services_, *request_, &caller, &refusal)) return respond(std::move(refusal));
    answer_rpc_call(services_, request_, std::move(caller), std::move(calls_[index].call), respond);
  }

  void finish(size_t index, HttpResponse response) EXCLUDES(mutex_) {
    bool resume = false;
    {
      MutexLock lock(&mutex_);
      keep(index, std::move(response));
      --running_;
      resume = running_ == 0 && !starting_;
    }
    // On a thread that may wait, and that may be the last to hold the store.
    if (resume) services_->query_executor([self = shared_from_this()] { self->run(); });
  }

  void keep(size_t index, HttpResponse response) REQUIRES(mutex_) {
    std::string text = std::move(response.body);
    for (const std::string& more : response.more) text += more;
    while (text.ends_with('\n')) text.pop_back();
    bytes_ += text.size();
    if (bytes_ > kRpcAnswerBytesMax) {
      bytes_ -= text.size();
      response = eventodb_error(too_large("the answers have more than " +
                                          std::to_string(kRpcAnswerBytesMax) +
                                          " bytes together; put fewer calls into a batch"));
      text = response.body.substr(0, response.body.size() - 1);
    }
    std::string& answer = calls_[index].answer;
    if (response.status != 200) {
      answer = std::move(text);
      return;
    }
    memory_.add(std::move(response.memory));
    answer = "{\"result\":" + std::move(text);
    for (const auto& [name, value] : response.headers) {
      if (name == kDroppedHeader) answer += ",\"dropped\":" + value;
    }
    answer.push_back('}');
  }

  void answer() EXCLUDES(mutex_) {
    HttpResponse response;
    {
      MutexLock lock(&mutex_);
      response.body = "[";
      for (BatchedCall& call : calls_) {
        if (response.body.size() > 1) response.body.push_back(',');
        response.body += call.answer;
        call.answer = std::string();
      }
      response.memory = std::move(memory_);
    }
    response.body += "]\n";
    respond_(std::move(response));
  }

  Services* const services_;
  const HttpRequestPtr request_;
  const Responder respond_;
  Mutex mutex_;
  std::vector<BatchedCall> calls_;  // each `call` belongs to whoever starts it
  size_t next_ GUARDED_BY(mutex_) = 0;
  size_t running_ GUARDED_BY(mutex_) = 0;
  bool starting_ GUARDED_BY(mutex_) = false;
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  MemoryBudget::Share memory_ GUARDED_BY(mutex_);
};

Result<std::vector<BatchedCall>> read_calls(const RpcCall& call) {
  if (call.arguments.empty() || !call.arguments[0].starts_with('[')) {
    return invalid_argument("the calls must be an array of arrays");
  }
  std::vector<BatchedCall> calls;
  StringPool pool;
  JsonReader reader(call.arguments[0], JsonReader::kDepthMax, &pool);
  (void)reader.enter_array();
  while (reader.next_element()) {
    std::string_view json;
    if (!reader.read_raw(&json)) break;
    BatchedCall& batched = calls.emplace_back();
    FIRN_TRY(parse_eventodb_call(json, call.services->limits.json_depth, &batched.call));
    const std::string& method = batched.call.method;
    if (method == call.method) return invalid_argument("a batch holds no other batch");
    batched.is_write = method == "stream.write" || method == "stream.append";
  }
  FIRN_TRY(reader.finish());
  if (calls.size() <= kBatchCallsMax) return calls;
  return invalid_argument("a batch of " + std::to_string(calls.size()) + " calls; at most " +
                          std::to_string(kBatchCallsMax) + " go into one");
}

Status run_batch(const RpcCallPtr& call) {
  FIRN_ASSIGN(std::vector<BatchedCall> calls, read_calls(*call));
  const auto run =
      std::make_shared<BatchRun>(call->services, call->request, call->respond, std::move(calls));
  run->run();
  return Status();
}

}  // namespace

RpcMethod find_batch_method(std::string_view name) {
  if (name == "batch") return run_batch;
  return nullptr;
}

}  // namespace firn
