#include "server/grpc_server.h"

#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "wire/grpc_reflection.h"

namespace firn {

namespace {

constexpr int kAcceptsPerThread = 16;  // calls that may arrive before one is looked at
constexpr int64_t kShutdownMs = 20;    // for the last answers to leave
constexpr std::string_view kHealthCheck = "/grpc.health.v1.Health/Check";
constexpr std::string_view kReflection =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr std::string_view kReflectionAlpha =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

std::string text_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  text.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

grpc::ByteBuffer buffer_of(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

GrpcAnswer unavailable_answer() {
  return {static_cast<int>(grpc::StatusCode::UNAVAILABLE), "the server is stopping", "", ""};
}

// What the library has to say is also in its results.
void ignore_grpc_log(gpr_log_func_args* arguments) {
  spdlog::debug("gRPC: {}", arguments->message);
}

class Call;

}  // namespace

// Shared with calls that wait for their answer.
struct GrpcServerParts {
  GrpcServerParts(Env* environment, GrpcHandler call_handler)
      : env(environment), handler(std::move(call_handler)) {}

  Env* const env;
  const GrpcHandler handler;
  grpc::AsyncGenericService service;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::thread> threads;

  Mutex mutex;
  CondVar answered;
  std::unordered_set<Call*> waiting GUARDED_BY(mutex);  // with the handler
  bool stopping GUARDED_BY(mutex) = false;
};

namespace {

// One call from its arrival to its end. The queue holds it by its address as long as an operation
// is under way, which is always but while the handler works on it.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(GrpcServerParts* parts, grpc::ServerCompletionQueue* queue)
      : parts_(parts), queue_(queue), stream_(&context_) {}

  static void accept(GrpcServerParts* parts, grpc::ServerCompletionQueue* queue) {
    auto call = std::make_shared<Call>(parts, queue);
    call->self_ = call;
    parts->service.RequestCall(&call->context_, &call->stream_, queue, queue, call.get());
  }

  // The operation under way has ended. Destroys the call when it was the last one.
  void advance(bool ok) {
    const std::shared_ptr<Call> keep = self_;
    switch (state_) {
      case State::kAccept:
        if (!ok) return self_.reset();  // the server stops
        accept(parts_, queue_);
        state_ = State::kRead;
        stream_.Read(&buffer_, this);
        return;
      case State::kRead:
        if (is_reflection()) return ok ? reflect() : finish_stream();
        if (ok) return handle();
        return finish({static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT),
                       "the call has no message", "", ""});
      case State::kReflected:
        if (!ok) return finish_stream();  // the client is gone
        return read_next_question();
      case State::kFinish:
        return self_.reset();
    }
  }

  // From any thread. The first answer counts.
  void answer(const GrpcAnswer& answer) {
    {
      const MutexLock lock(&parts_->mutex);
      if (parts_->waiting.erase(this) == 0) return;
      // With the lock held, so that the queue cannot end before the operation is in it.
      finish(answer);
      if (!parts_->waiting.empty()) return;
    }
    parts_->answered.notify_all();
  }

 private:
  enum class State { kAccept, kRead, kReflected, kFinish };

  // The one method whose calls are streams: a question, its answer, the next question.
  bool is_reflection() const {
    return context_.method() == kReflection || context_.method() == kReflectionAlpha;
  }
  void reflect() {
    const std::string question = text_of(buffer_);
    buffer_.Clear();
    state_ = State::kReflected;
    unless_stopping([&] { stream_.Write(buffer_of(answer_reflection(question)), this); });
  }
  void read_next_question() {
    state_ = State::kRead;
    unless_stopping([this] { stream_.Read(&buffer_, this); });
  }
  void finish_stream() {
    state_ = State::kFinish;
    unless_stopping([this] { stream_.Finish(grpc::Status::OK, this); });
  }
  // Starts an operation, or gives the call up when the queue may have ended.
  template <typename Start>
  void unless_stopping(const Start& start) {
    const MutexLock lock(&parts_->mutex);
    if (parts_->stopping) return self_.reset();
    start();
  }

  void handle() {
    GrpcCall call;
    call.method = context_.method();
    call.body = text_of(buffer_);
    buffer_.Clear();
    call.firn_namespace = metadata("firn-namespace");
    call.firn_ack = metadata("firn-ack");
    {
      const MutexLock lock(&parts_->mutex);
      if (parts_->stopping) return finish(unavailable_answer());
      parts_->waiting.insert(this);
    }
    if (call.method == kHealthCheck) return answer({0, "", "", std::string("\x08\x01", 2)});
    // Does not hold parts_ by itself: an answer after stop() finds that the call does not wait.
    parts_->handler(std::move(call), [weak = weak_from_this()](const GrpcAnswer& given) {
      if (const std::shared_ptr<Call> waiting = weak.lock()) waiting->answer(given);
    });
  }

  std::string metadata(const char* name) const {
    const auto found = context_.client_metadata().find(name);
    if (found == context_.client_metadata().end()) return std::string();
    return std::string(found->second.data(), found->second.size());
  }

  void finish(const GrpcAnswer& answer) {
    state_ = State::kFinish;
    for (const auto& [name, value] : answer.metadata) {
      context_.AddTrailingMetadata(name, value);
    }
    const grpc::Status status(static_cast<grpc::StatusCode>(answer.code), answer.message,
                              answer.details);
    if (!status.ok()) return stream_.Finish(status, this);
    stream_.WriteAndFinish(buffer_of(answer.body), grpc::WriteOptions(), status, this);
  }

  GrpcServerParts* const parts_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer buffer_;
  State state_ = State::kAccept;
  std::shared_ptr<Call> self_;
};

void run(grpc::ServerCompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->advance(ok);
}

}  // namespace

GrpcServer::GrpcServer(std::unique_ptr<GrpcServerParts> parts, ListenAddress address)
    : parts_(std::move(parts)), address_(std::move(address)) {}

GrpcServer::~GrpcServer() { stop(0); }

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(Env* env, const ListenAddress& address,
                                                      const GrpcOptions& options,
                                                      GrpcHandler handler) {
  gpr_set_log_function(ignore_grpc_log);
  auto parts = std::make_unique<GrpcServerParts>(env, std::move(handler));
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("firn");
  quota.Resize(options.request_memory_bytes);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes));
  // Compressed messages come as they are: the library would unpack them without any limit.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.streams));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port shall be an error
  int port = 0;
  builder.AddListeningPort(address.to_string(), grpc::InsecureServerCredentials(), &port);
  builder.RegisterAsyncGenericService(&parts->service);
  for (uint32_t i = 0; i < options.threads; ++i) {
    parts->queues.push_back(builder.AddCompletionQueue());
  }
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || port == 0) {
    if (parts->server != nullptr) parts->server->Shutdown();
    for (const auto& queue : parts->queues) {
      queue->Shutdown();
      run(queue.get());
    }
    return conflict("another program listens on " + address.to_string() +
                    "; stop it or choose another address");
  }
  for (const auto& queue : parts->queues) {
    for (int i = 0; i < kAcceptsPerThread; ++i) Call::accept(parts.get(), queue.get());
    parts->threads.emplace_back([queue = queue.get()] { run(queue); });
  }
  ListenAddress bound = address;
  bound.port = static_cast<uint16_t>(port);
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(parts), std::move(bound)));
}

void GrpcServer::stop(DurationNs grace) {
  if (parts_->server == nullptr) return;
  const TimeNs deadline = parts_->env->monotonic() + grace;
  std::vector<std::shared_ptr<Call>> late;
  {
    MutexLock lock(&parts_->mutex);
    parts_->stopping = true;
    while (!parts_->waiting.empty() && parts_->env->monotonic() < deadline) {
      parts_->answered.wait_for(&parts_->mutex, std::chrono::milliseconds(1));
    }
    for (Call* call : parts_->waiting) late.push_back(call->shared_from_this());
  }
  for (const auto& call : late) call->answer(unavailable_answer());
  late.clear();
  parts_->server->Shutdown(gpr_time_from_millis(kShutdownMs, GPR_TIMESPAN));
  for (const auto& queue : parts_->queues) queue->Shutdown();
  for (std::thread& thread : parts_->threads) thread.join();
  parts_->server.reset();
}

}  // namespace firn
