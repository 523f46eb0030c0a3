#include "client/grpc_client.h"

#include <grpc/support/time.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace firn {

struct GrpcClient::Parts {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<grpc::GenericStub> stub;
};

GrpcClient::GrpcClient(const std::string& address) : parts_(std::make_unique<Parts>()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else clients share a connection
  parts_->channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  parts_->stub = std::make_unique<grpc::GenericStub>(parts_->channel);
}

GrpcClient::~GrpcClient() = default;

GrpcClientResponse GrpcClient::call(const GrpcClientRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_nanos(request.time_ns, GPR_TIMESPAN)));
  if (request.gzip) context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  for (const auto& [name, value] : request.metadata) context.AddMetadata(name, value);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request.body.data(), request.body.size());
  const grpc::ByteBuffer body(&slice, 1);
  const auto reader = parts_->stub->PrepareUnaryCall(&context, request.method, body, &queue);
  reader->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  reader->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  (void)queue.Next(&tag, &ok);
  GrpcClientResponse response{
      status.error_code(), status.error_message(), status.error_details(), "", {}};
  for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
    response.metadata.emplace_back(std::string(name.data(), name.size()),
                                   std::string(value.data(), value.size()));
  }
  std::vector<grpc::Slice> slices;
  if (status.ok() && answer.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      response.body.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  return response;
}

}  // namespace firn
