#include "server/eventodb_token.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

const std::string kSecret(64, 'a');

TEST(EventodbToken, NamesItsNamespace) {
  EXPECT_EQ(*namespace_of_token("ns_c2hvcA_" + kSecret), "shop");
  EXPECT_EQ(*namespace_of_token(make_token(posix_env(), "my-space_1")), "my-space_1");
}

// "???" is "Pz8_": the separator is the last underscore.
TEST(EventodbToken, TheNamespaceMayEncodeToAnUnderscore) {
  EXPECT_EQ(*namespace_of_token("ns_Pz8__" + kSecret), "???");
}

TEST(EventodbToken, OtherFormsAreRefused) {
  for (const std::string& token :
       {std::string(), std::string("ns_"), "c2hvcA_" + kSecret, "ns_c2hvcA" + kSecret,
        "ns_c2hvcA_" + kSecret + "a", "ns_c2hvcA_" + std::string(64, 'g'), "ns__" + kSecret,
        "ns_" + kSecret, "ns_c2!vcA_" + kSecret}) {
    EXPECT_EQ(namespace_of_token(token).status().code(), StatusCode::kInvalidArgument) << token;
  }
}

TEST(EventodbToken, IsRecognisedByItsDigest) {
  const std::string token = make_token(posix_env(), "shop");
  EXPECT_TRUE(token_matches(token, token_sha256(token)));
  EXPECT_FALSE(token_matches(make_token(posix_env(), "shop"), token_sha256(token)));
  EXPECT_FALSE(token_matches(token, ""));
}

}  // namespace
}  // namespace firn
