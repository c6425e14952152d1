using System.Net.Sockets;
using System.Text;
using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>Hosts that misbehave: the message waits, nothing is lost, and arrives when they have come to their senses.</summary>
public sealed class HostileServerTests
{
    [Fact]
    public async Task A_host_that_fails_in_every_way_gets_the_message_in_the_end()
    {
        string[] verbs = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."];
        var turn = 0;
        await using var sink = new Sink();
        // One try each: 421 at every stage, then nonsense at every stage, then the played ones.
        sink.Answer = line =>
        {
            var stage = Array.FindIndex(verbs, verb => line == verb || line.StartsWith(verb + " ", StringComparison.Ordinal) || (verb.Length == 4 && line.StartsWith(verb + ":", StringComparison.Ordinal)) || (verb == "DATA" && line == verb));
            var now = turn;
            if (stage < 0 || now >= verbs.Length * 2 || stage != now % verbs.Length)
                return null;
            turn++;
            return now < verbs.Length ? "421 4.3.2 go away" : stage == 1 ? "299" : "199 what";
        };
        sink.Play = async (number, stream, stop) =>
        {
            switch (number)
            {
                case 1:  // a reply without end
                    var line = Encoding.ASCII.GetBytes("220-" + new string('x', 500) + "\r\n");
                    while (true)
                        await stream.WriteAsync(line, stop);
                case 2:  // a line without end
                    var endless = Encoding.ASCII.GetBytes(new string('x', 1 << 14));
                    while (true)
                        await stream.WriteAsync(endless, stop);
                case 3:  // octets that are no SMTP
                    await stream.WriteAsync(new byte[] { 0x16, 3, 1, 0, 5, 0, 0, 13, 10 }, stop);
                    return true;
                case 4:  // a reset in the middle of the content
                    await stream.WriteAsync("220 cruel\r\n"u8.ToArray(), stop);
                    var buffer = new byte[1 << 16];
                    foreach (var reply in (string[])["250 hello\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"])
                    {
                        await stream.ReadAtLeastAsync(buffer, 1, true, stop);
                        await stream.WriteAsync(Encoding.ASCII.GetBytes(reply), stop);
                    }

                    await stream.ReadAtLeastAsync(buffer, 1, true, stop);
                    ((NetworkStream)stream).Socket.LingerState = new(true, 0);
                    return true;
                default:
                    return false;
            }
        };
        await using var node = await NodeProcess.StartAsync(sink.Gateway + " retry_interval = 1 max_retry_interval = 1 message_expiration = 4h");
        using (var client = await Client.ConnectAsync(node.Smtp))
        {
            await client.ExpectAsync("EHLO a.example", "250");
            Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "b@example.net", "Subject: x\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('y', 70) + "\r\n", 5000))), StringComparison.Ordinal);
        }

        var received = await sink.NextAsync();
        Assert.Equal("a@example.com", received.Sender);
        await node.StopAsync();
        Assert.False(sink.HasMore);
        var log = node.Log("mainlog.ec");
        Assert.Single(log, line => line.Contains("@D@", StringComparison.Ordinal));
        Assert.DoesNotContain(log, line => line.Contains("@P@", StringComparison.Ordinal));
        Assert.True(log.Count(line => line.Contains("@T@", StringComparison.Ordinal)) >= 10, string.Join('\n', log));
        Assert.InRange(log.Length, 10, 60);
    }

    [ToolFact("python3")]
    public async Task A_refused_message_comes_back_as_a_report_that_Python_can_read_and_its_failure_goes_to_the_operator()
    {
        await using var sink = new Sink();
        sink.Answer = line => line.Contains("nobody@example.net", StringComparison.Ordinal) ? "550 5.1.1 no such user" : line.Contains("a@example.com>", StringComparison.Ordinal) && line.StartsWith("RCPT", StringComparison.Ordinal) ? "550 5.1.1 sender is gone" : null;
        await using var node = await NodeProcess.StartAsync(sink.Gateway + " mdn_failures_notify = \"postmaster@example.org\"");
        using (var client = await Client.ConnectAsync(node.Smtp))
        {
            await client.ExpectAsync("EHLO a.example", "250");
            await client.ExpectAsync("MAIL FROM:<ok@example.com> ENVID=job+2B7", "250");
            await client.ExpectAsync("RCPT TO:<nobody@example.net> ORCPT=rfc822;alias@example.org", "250");
            await client.ExpectAsync("DATA", "354");
            await client.SendAsync("Subject: for nobody\r\nX-Mark: 1\r\n\r\nbody\r\n.\r\n");
            Assert.StartsWith("250", await client.ReplyAsync(), StringComparison.Ordinal);
            var report = await sink.NextAsync();
            Assert.Equal("", report.Sender);
            Assert.Contains("<ok@example.com>", Assert.Single(report.Recipients), StringComparison.Ordinal);
            var file = Path.Combine(node.Directory, "report");
            await File.WriteAllTextAsync(file, report.Content, Encoding.Latin1);
            var parsed = await Outcome.PythonAsync("""
                import email, email.policy, sys
                m = email.message_from_bytes(open(sys.argv[1], "rb").read(), policy=email.policy.default)
                assert not m.defects, m.defects
                print(m.get_content_type(), m.get_param("report-type"), m["Auto-Submitted"])
                text, status, original = m.iter_parts()
                print(text.get_content_type(), status.get_content_type(), original.get_content_type())
                whole, one = status.get_payload()
                print(whole["Reporting-MTA"], whole["Original-Envelope-Id"], one["Original-Recipient"], one["Final-Recipient"], one["Action"], one["Status"], one["Remote-MTA"] is not None, one["Diagnostic-Code"])
                print(email.message_from_string(original.get_payload() if isinstance(original.get_payload(), str) else str(original.get_payload(0)))["X-Mark"])
                """, file);
            Assert.Equal("""
                multipart/report delivery-status auto-replied
                text/plain message/delivery-status text/rfc822-headers
                dns; mta.example.org job+7 rfc822; alias@example.org rfc822; nobody@example.net failed 5.1.1 True smtp; 550 5.1.1 no such user
                1

                """, parsed, ignoreLineEndingDifferences: true);

            // The sender can't be reached either: a report about the report goes to the operator and nowhere else.
            Assert.StartsWith("250", await client.SendMessageAsync("a@example.com", "nobody@example.net"), StringComparison.Ordinal);
        }

        var doubleBounce = await sink.NextAsync();
        Assert.Equal("", doubleBounce.Sender);
        Assert.Contains("<postmaster@example.org>", Assert.Single(doubleBounce.Recipients), StringComparison.Ordinal);
        await node.StopAsync();
        Assert.False(sink.HasMore);
        Assert.Equal(3, node.Log("bouncelog.ec").Count(line => line.Contains("@B@", StringComparison.Ordinal)));
    }
}
