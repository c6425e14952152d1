using System.Security.Cryptography;
using System.Text;
using Veredus.Reception.Auth;
using Veredus.Smtp;

namespace Veredus.Reception.Tests.Auth;

public sealed class CredentialTests
{
    [Fact]
    public void A_hashed_password_is_recognised_and_no_other()
    {
        var text = StoredPassword.Hash("s3cret:with$signs", RandomNumberGenerator.GetBytes(16), 1000);

        Assert.True(StoredPassword.TryParse(text, out var password, out var error), error);
        Assert.True(password.Matches("s3cret:with$signs"));
        Assert.False(password.Matches("s3cret"));
        Assert.Null(password.ClearText);
    }

    [Fact]
    public void A_clear_password_is_recognised_and_no_other()
    {
        Assert.True(StoredPassword.TryParse("open sesame", out var password, out _));
        Assert.True(password.Matches("open sesame"));
        Assert.False(password.Matches("open sesam"));
        Assert.False(StoredPassword.Nobody.Matches(""));
    }

    [Theory]
    [InlineData("{CRYPT}$6$salt$hash", "{CRYPT}")]
    [InlineData("{MD5}abcdef", "{MD5}")]
    [InlineData("{PBKDF2}0$AAAAAAAAAAAAAAAA$AAAA", "{PBKDF2}ITERATIONS$SALT$HASH")]
    [InlineData("{PBKDF2}no", "{PBKDF2}ITERATIONS$SALT$HASH")]
    public void What_cannot_be_checked_is_refused_with_what_would_be_accepted(string text, string named)
    {
        Assert.False(StoredPassword.TryParse(text, out _, out var error));
        Assert.Contains(named, error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_names_every_bad_line_and_no_secret()
    {
        List<string> errors = [];
        var users = CredentialFile.Parse<StoredPassword>(["# users", "", "ann:secret", "bob", "carl:{CRYPT}topsecret", "ann:again"], StoredPassword.TryParse, "/etc/users", errors);

        Assert.Equal(["ann"], users.Keys);
        Assert.Equal(3, errors.Count);
        Assert.StartsWith("/etc/users, line 4: ", errors[0], StringComparison.Ordinal);
        Assert.DoesNotContain(errors, error => error.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    public void The_example_of_rfc_7677_is_accepted()
    {
        // RFC 7677 §3: user "user", password "pencil". The server's nonce there is not base64 of octets we choose, so the exchange is rebuilt around it.
        var credential = ScramCredential.Derive("pencil", Convert.FromBase64String("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
        var exchange = new ScramServer(_ => credential, new byte[18]);

        var first = exchange.First("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        Assert.Equal("r=rOprNGfwEbeRWgbNEkqO" + new string('A', 24) + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", first.Message);
        var final = exchange.Final(ScramClient.Final("pencil", "n=user,r=rOprNGfwEbeRWgbNEkqO", first.Message!, out var serverProof));
        Assert.True(final.IsDone);
        Assert.Equal(serverProof, final.Message);
        Assert.Equal("user", exchange.User);
    }

    [Fact]
    public async Task A_store_conducts_the_exchange_of_a_session()
    {
        var store = new ScramStore(new Dictionary<string, ScramCredential> { ["user"] = ScramCredential.Derive("pencil", new byte[16], 4096) });
        foreach (var (user, password, expected) in new[] { ("user", "pencil", AuthResult.Pass), ("user", "pen", AuthResult.Fail), ("nobody", "pencil", AuthResult.Fail) })
        {
            var exchange = store.Begin();
            var first = await exchange.NextAsync($"n,,n={user},r=abcdefgh12345", CancellationToken.None);
            Assert.Equal((user, (AuthResult?)null), (exchange.User, first.Result));
            var final = await exchange.NextAsync(ScramClient.Final(password, $"n={user},r=abcdefgh12345", first.Message!, out var proof), CancellationToken.None);
            Assert.Equal(expected, final.Result);
            Assert.Equal(expected == AuthResult.Pass ? proof : null, final.Message);
        }
    }

    [Fact]
    public void A_wrong_password_fails_and_so_does_a_user_that_does_not_exist()
    {
        var credential = ScramCredential.Derive("pencil", new byte[16], 4096);
        foreach (var find in new Func<string, ScramCredential>[] { _ => credential, user => ScramCredential.Nobody(user, new byte[16]) })
        {
            var exchange = new ScramServer(find, new byte[18]);
            var first = exchange.First("n,,n=user,r=abcdefgh12345");
            Assert.Equal(ScramStep.Failed, exchange.Final(ScramClient.Final("pen", "n=user,r=abcdefgh12345", first.Message!, out _)));
        }
    }

    [Theory]
    [InlineData("p=tls-unique,,n=user,r=abcdefgh12345")]
    [InlineData("n,a=other,n=user,r=abcdefgh12345")]
    [InlineData("n,,n=us=er,r=abcdefgh12345")]
    [InlineData("n,,n=,r=abcdefgh12345")]
    [InlineData("n,,n=user,r=short")]
    [InlineData("n,,r=abcdefgh12345,n=user")]
    [InlineData("n,")]
    [InlineData("")]
    public void A_malformed_first_message_fails(string message)
    {
        Assert.Equal(ScramStep.Failed, new ScramServer(_ => ScramCredential.Derive("x", new byte[8], 4096), new byte[18]).First(message));
    }

    [Fact]
    public void A_credential_reads_back_as_it_was_written()
    {
        var credential = ScramCredential.Derive("pencil", [1, 2, 3, 4, 5, 6, 7, 8], 5000);

        Assert.True(ScramCredential.TryParse(credential.ToString(), out var read, out _));
        Assert.Equal(credential.ToString(), read.ToString());
        Assert.False(ScramCredential.TryParse("SCRAM-SHA-1$4096:AAAA$BBBB:CCCC", out _, out var error));
        Assert.Contains("SCRAM-SHA-256$", error, StringComparison.Ordinal);
    }

    /// <summary>The client's side, written from RFC 5802 §3.</summary>
    private static class ScramClient
    {
        public static string Final(string password, string clientFirstBare, string serverFirst, out string serverProof)
        {
            var parts = serverFirst.Split(',');
            var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), Convert.FromBase64String(parts[1][2..]), int.Parse(parts[2][2..], null), HashAlgorithmName.SHA256, 32);
            var withoutProof = "c=biws," + parts[0];
            var authMessage = Encoding.UTF8.GetBytes($"{clientFirstBare},{serverFirst},{withoutProof}");
            var proof = HMACSHA256.HashData(salted, "Client Key"u8);
            var signature = HMACSHA256.HashData(SHA256.HashData(proof), authMessage);
            for (var i = 0; i < proof.Length; i++)
                proof[i] ^= signature[i];
            serverProof = "v=" + Convert.ToBase64String(HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), authMessage));
            return $"{withoutProof},p={Convert.ToBase64String(proof)}";
        }
    }
}
