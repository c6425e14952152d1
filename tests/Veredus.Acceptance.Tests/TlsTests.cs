using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>TLS on both sides of a node in a process of its own.</summary>
public sealed class TlsTests
{
    [Fact]
    public async Task A_next_hop_gets_mail_only_with_the_certificate_that_was_asked_for()
    {
        using var known = new TestAuthority("Known");
        using var foreign = new TestAuthority("Foreign");
        using var right = known.Issue("mx.example.net");
        using var wrongName = known.Issue("other.example");
        using var unknown = foreign.Issue("mx.example.net");
        await using var names = new NameServer();
        await using var sink = new Sink();
        names.Answer = (name, type) => (name, type) switch { (_, "mx") when name == "example.net" => "10 mx.example.net", ("mx.example.net", "a") => sink.Address.ToString(), ("mx.example.net", _) => "", _ => null };
        await using var node = await NodeProcess.StartAsync(one =>
        {
            File.WriteAllText(Path.Combine(one.Directory, "ca.pem"), known.Pem);
            return one.Text($"resolv_conf = \"{names.ResolvConf(one.Directory)}\" remote_smtp_port = {NodeProcess.Port} tls = required tls_verify = host tls_ca = \"{one.Directory}/ca.pem\"");
        });

        // Not offered, not trusted, not its name: 4.7.x each, and the message waits; the right one gets it.
        (string What, System.Security.Cryptography.X509Certificates.X509Certificate2? Certificate, string Log)[] hosts =
            [("no TLS", null, "4.7.6"), ("foreign authority", unknown, "4.7.5"), ("foreign name", wrongName, "4.7.5")];
        var step = 0;
        var waiting = new TaskCompletionSource();
        sink.Answer = line =>
        {
            if (line == "CONNECT")
            {
                sink.Certificate = step < hosts.Length ? hosts[step].Certificate : right;
                step++;
            }

            return null;
        };
        using (var client = await Client.ConnectAsync(node.Smtp))
        {
            await client.ExpectAsync("EHLO a.example", "250");
            Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "b@example.net"), StringComparison.Ordinal);
        }

        var received = await sink.NextAsync();
        Assert.True(received.IsTls);
        await node.StopAsync();
        var failures = node.Log("mainlog.ec").Where(line => line.Contains("@T@", StringComparison.Ordinal)).ToArray();
        Assert.Equal(hosts.Length, failures.Length);
        Assert.All(hosts.Zip(failures), pair => Assert.Contains(pair.First.Log, pair.Second, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Garbage_for_a_handshake_and_commands_in_front_of_it_get_nowhere()
    {
        using var authority = new TestAuthority("Acceptance");
        await using var node = await NodeProcess.StartAsync(one => one.Text("suspend_delivery = true",
            $"relay_hosts = ( 127.0.0.0/8 ) smtp_extensions = ( STARTTLS ) tls_certificate = \"{authority.IssueFile(one.Directory, "mta.example.org")}\""));
        using (var garbage = await Client.ConnectAsync(node.Smtp))
        {
            await garbage.ExpectAsync("EHLO a.example", "250");
            await garbage.ExpectAsync("STARTTLS", "220");
            await garbage.SendAsync("MAIL FROM:<a@example.com>\r\n" + new string('\x17', 4096));
            Assert.DoesNotContain("250", await garbage.RestAsync(), StringComparison.Ordinal);
        }

        using (var injection = await Client.ConnectAsync(node.Smtp))
        {
            await injection.ExpectAsync("EHLO a.example", "250");
            await injection.SendAsync("STARTTLS\r\nMAIL FROM:<injected@example.com>\r\n");
            Assert.StartsWith("501 5.5.1", await injection.ReplyAsync(), StringComparison.Ordinal);
        }

        using var polite = await Client.ConnectAsync(node.Smtp);
        await polite.ExpectAsync("EHLO a.example", "250");
        await polite.ExpectAsync("STARTTLS", "220");
        await polite.StartTlsAsync();
        await polite.ExpectAsync("EHLO a.example", "250");
        Assert.StartsWith("250", await polite.SendMessageAsync("a@example.com", "b@example.net"), StringComparison.Ordinal);
    }
}
