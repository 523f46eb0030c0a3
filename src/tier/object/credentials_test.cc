#include "tier/object/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/sim_env.h"
#include "tier/object/instance_role.h"
#include "tier/object/test_http_listener.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kFile =
    "# comment\n"
    "[default]\naws_access_key_id = KEY\naws_secret_access_key=SECRET/+=\n\n"
    "; comment\n[ other ]\r\n aws_access_key_id=OTHER\r\n aws_secret_access_key = S2\r\n"
    "aws_session_token = TOKEN\r\nregion = somewhere\r\n[half]\naws_access_key_id = X\n";

class CredentialsTest : public ::testing::Test {
 protected:
  Result<Credentials> get(CredentialsSource source, const std::string& profile = "") {
    CredentialsOptions options;
    options.source = source;
    options.profile = profile;
    provider_ = make_credentials_provider(&env_, options);
    return provider_->get();
  }
  void set(const char* name, const char* value) { env_.set_environment_variable(name, value); }
  void write_file() {
    ASSERT_TRUE(env_.create_directories("/home/.aws").ok());
    env_.set_raw_content("/home/.aws/credentials", kFile);
    set("HOME", "/home");
  }

  SimEnv env_{1};
  std::unique_ptr<CredentialsProvider> provider_;
};

TEST_F(CredentialsTest, ComeFromTheEnvironment) {
  set("AWS_ACCESS_KEY_ID", "KEY");
  set("AWS_SECRET_ACCESS_KEY", "SECRET");
  set("AWS_SESSION_TOKEN", "TOKEN");
  for (const auto source : {CredentialsSource::kEnvironment, CredentialsSource::kAuto}) {
    const auto credentials = get(source);
    ASSERT_TRUE(credentials.ok());
    EXPECT_EQ(credentials->access_key_id, "KEY");
    EXPECT_EQ(credentials->secret_access_key, "SECRET");
    EXPECT_EQ(credentials->session_token, "TOKEN");
  }
}

TEST_F(CredentialsTest, HalfAnEnvironmentIsRefused) {
  write_file();
  set("AWS_SECRET_ACCESS_KEY", "SECRET");
  for (const auto source : {CredentialsSource::kEnvironment, CredentialsSource::kAuto}) {
    const Status status = get(source).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.to_string(), HasSubstr("AWS_ACCESS_KEY_ID"));
    EXPECT_THAT(status.to_string(), Not(HasSubstr("SECRET/")));
  }
}

TEST_F(CredentialsTest, ComeFromTheFile) {
  write_file();
  for (const auto source : {CredentialsSource::kFile, CredentialsSource::kAuto}) {
    const auto credentials = get(source);
    ASSERT_TRUE(credentials.ok()) << credentials.status().to_string();
    EXPECT_EQ(credentials->access_key_id, "KEY");
    EXPECT_EQ(credentials->secret_access_key, "SECRET/+=");
    EXPECT_EQ(credentials->session_token, "");
  }
}

TEST_F(CredentialsTest, TheProfileIsConfiguredOrInTheEnvironment) {
  write_file();
  EXPECT_EQ(get(CredentialsSource::kFile, "other")->session_token, "TOKEN");
  set("AWS_PROFILE", "other");
  EXPECT_EQ(get(CredentialsSource::kFile)->access_key_id, "OTHER");
  EXPECT_EQ(get(CredentialsSource::kFile, "default")->access_key_id, "KEY");
}

TEST_F(CredentialsTest, TheFileMayBeElsewhere) {
  env_.set_raw_content("/keys", kFile);
  set("AWS_SHARED_CREDENTIALS_FILE", "/keys");
  EXPECT_TRUE(get(CredentialsSource::kAuto).ok());
}

TEST_F(CredentialsTest, MessagesSayWhereAndNotWhat) {
  set("AWS_SHARED_CREDENTIALS_FILE", "/keys");
  EXPECT_THAT(get(CredentialsSource::kAuto).status().to_string(), HasSubstr("/keys"));
  env_.set_raw_content("/keys", kFile);
  for (const char* profile : {"missing", "half"}) {
    const std::string text = get(CredentialsSource::kFile, profile).status().to_string();
    EXPECT_THAT(text, HasSubstr("[" + std::string(profile) + "]"));
    EXPECT_THAT(text, HasSubstr("/keys"));
    EXPECT_THAT(text, Not(HasSubstr("SECRET/")));
  }
}

TEST_F(CredentialsTest, AChangedFileIsReadWhenTheOldOnesAreRefused) {
  write_file();
  ASSERT_EQ(get(CredentialsSource::kFile)->access_key_id, "KEY");
  env_.set_raw_content("/home/.aws/credentials",
                       "[default]\naws_access_key_id=NEW\naws_secret_access_key=S\n");
  EXPECT_EQ(provider_->get()->access_key_id, "KEY");
  provider_->invalidate();
  EXPECT_EQ(provider_->get()->access_key_id, "NEW");
}

TEST_F(CredentialsTest, NothingThatBreaksAHeaderIsAccepted) {
  set("AWS_ACCESS_KEY_ID", "KEY");
  set("AWS_SECRET_ACCESS_KEY", "SECRET");
  set("AWS_SESSION_TOKEN", "TO\r\nx: y");
  EXPECT_EQ(get(CredentialsSource::kEnvironment).status().code(), StatusCode::kInvalidArgument);
}

// A metadata service whose credentials last an hour.
class InstanceRoleTest : public ::testing::Test {
 protected:
  TestHttpAnswer answer(const TestHttpRequest& request) {
    if (is_down_) return {500, {}, ""};
    if (request.path == "/latest/api/token") {
      const bool is_asked_well =
          request.method == "PUT" && request.header("x-aws-ec2-metadata-token-ttl-seconds") != "";
      return {is_asked_well ? 200 : 400, {}, "t0ken=="};
    }
    if (request.header("x-aws-ec2-metadata-token") != "t0ken==") return {401, {}, ""};
    const std::string path = "/latest/meta-data/iam/security-credentials/";
    if (request.path == path) return {200, {}, "the-role\n"};
    if (request.path != path + "the-role") return {404, {}, ""};
    ++fetches_;
    return {200,
            {},
            "{\"Code\":\"Success\",\"AccessKeyId\":\"KEY" + std::to_string(fetches_) +
                "\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"" +
                format_time(env_.now() + kHourNs) + "\"}"};
  }
  std::string key() {
    const auto credentials = provider_->get();
    return credentials.ok() ? credentials->access_key_id : credentials.status().to_string();
  }

  SimEnv env_{1};
  std::atomic<bool> is_down_ = false;
  std::atomic<int> fetches_ = 0;
  TestHttpListener service_{[this](const TestHttpRequest& request) { return answer(request); }};
  std::unique_ptr<CredentialsProvider> provider_ =
      make_instance_role_provider(&env_, service_.endpoint());
};

TEST_F(InstanceRoleTest, CredentialsAreFetchedOnce) {
  EXPECT_EQ(key(), "KEY1");
  env_.advance(54 * kMinuteNs);
  EXPECT_EQ(key(), "KEY1");
}

TEST_F(InstanceRoleTest, TheyAreRefreshedBeforeTheyExpire) {
  EXPECT_EQ(key(), "KEY1");
  env_.advance(56 * kMinuteNs);
  EXPECT_EQ(key(), "KEY2");
}

TEST_F(InstanceRoleTest, WhileTheServiceIsDownTheyServeToTheirEnd) {
  EXPECT_EQ(key(), "KEY1");
  is_down_ = true;
  env_.advance(56 * kMinuteNs);
  EXPECT_EQ(key(), "KEY1");
  env_.advance(5 * kMinuteNs);
  EXPECT_THAT(key(), HasSubstr("unavailable"));
}

TEST_F(InstanceRoleTest, TheyAreFetchedAgainWhenRefused) {
  EXPECT_EQ(key(), "KEY1");
  provider_->invalidate();
  EXPECT_EQ(key(), "KEY2");
}

TEST(ParseInstanceRole, RefusesIncompleteAnswers) {
  for (const char* json :
       {"", "[]", "{}", "{\"Code\":\"Failed\"}",
        "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}",
        "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"x\"}"}) {
    EXPECT_EQ(parse_instance_role(json).status().code(), StatusCode::kCorruption) << json;
  }
}

}  // namespace
}  // namespace firn
