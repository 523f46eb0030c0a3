#include "server/test_grpc_client.h"

#include <grpc/support/time.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <vector>

namespace firn {

struct TestGrpcClient::Parts {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<grpc::GenericStub> stub;
};

TestGrpcClient::TestGrpcClient(uint16_t port) : parts_(std::make_unique<Parts>()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(-1);
  parts_->channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                              grpc::InsecureChannelCredentials(), arguments);
  parts_->stub = std::make_unique<grpc::GenericStub>(parts_->channel);
}

TestGrpcClient::~TestGrpcClient() = default;

TestGrpcClient::Answer TestGrpcClient::call(const std::string& method, const std::string& body,
                                            bool gzip, const std::string& firn_namespace,
                                            DurationNs timeout) {
  grpc::ClientContext context;
  context.set_deadline(gpr_time_from_nanos(timeout, GPR_TIMESPAN));
  if (gzip) context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  if (!firn_namespace.empty()) context.AddMetadata("firn-namespace", firn_namespace);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(body);
  const grpc::ByteBuffer request(&slice, 1);
  const auto reader = parts_->stub->PrepareUnaryCall(&context, method, request, &queue);
  reader->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  reader->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  (void)queue.Next(&tag, &ok);
  Answer answer{status.error_code(), status.error_message(), status.error_details(), ""};
  std::vector<grpc::Slice> slices;
  if (status.ok() && response.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      answer.body.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  return answer;
}

}  // namespace firn
