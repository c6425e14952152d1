using Veredus.Acceptance.Tests.Support;

namespace Veredus.Acceptance.Tests;

/// <summary>Programs that Veredus has not made, as clients of a node in a process of its own.</summary>
public sealed class ForeignClientTests
{
    private const string Auth = """
        enable_authentication = true
        smtp_extensions = ( "STARTTLS" "AUTH PLAIN" "AUTH LOGIN" "AUTH SCRAM-SHA-256" )
        """;

    [ToolFact("swaks")]
    public async Task Swaks_logs_in_over_TLS_in_every_way_and_relays()
    {
        await using var sink = new Sink();
        await using var node = await StartWithUsersAsync(sink);
        foreach (var mechanism in (string[])["PLAIN", "LOGIN"])
        {
            var sent = await SwaksAsync(node, "--tls", "--auth", mechanism, "--auth-user", "ann", "--auth-password", "correct horse");
            Assert.True(sent.ExitCode == 0, sent.ToString());
            Assert.Contains("~> EHLO", sent.Output, StringComparison.Ordinal);
            Assert.Equal("sender@example.com", (await sink.NextAsync()).Sender);
        }

        var refused = await SwaksAsync(node, "--tls", "--auth", "PLAIN", "--auth-user", "ann", "--auth-password", "wrong");
        Assert.Contains("535 5.7.8", refused.Output, StringComparison.Ordinal);
        var stranger = await SwaksAsync(node);
        Assert.Contains("530 5.7.0", stranger.Output, StringComparison.Ordinal);
        await node.StopAsync();
        Assert.Equal(["1", "1", "0"], node.Log("acctlog.ec").Where(line => line.Contains("@N@", StringComparison.Ordinal) && line.Contains("@ann@", StringComparison.Ordinal)).Select(line => line.Split('@')[^1]));
        Assert.Contains(node.Log("rejectlog.ec"), line => line.Contains("E=535", StringComparison.Ordinal) && !line.Contains("wrong", StringComparison.Ordinal));
    }

    [ToolFact("python3")]
    public async Task Smtplib_logs_in_with_TLS_from_the_first_octet_and_sends_text_beyond_ASCII()
    {
        await using var sink = new Sink();
        await using var node = await StartWithUsersAsync(sink, "use_ssl = true");
        await Outcome.PythonAsync("""
            import smtplib, ssl, sys
            context = ssl._create_unverified_context()
            with smtplib.SMTP_SSL(sys.argv[1], int(sys.argv[2]), context=context) as smtp:
                smtp.login("ann", "correct horse")
                smtp.sendmail("jörg@example.com", ["søren@example.net"], "Subject: grüße\r\n\r\nSmørrebrød\r\n".encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314159"], rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;s@example.net"])
            """, node.Address.ToString(), NodeProcess.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        var received = await sink.NextAsync();
        Assert.Contains("SMTPUTF8", received.Mail, StringComparison.Ordinal);
        Assert.Contains("BODY=8BITMIME", received.Mail, StringComparison.Ordinal);
        Assert.Contains("RET=HDRS", received.Mail, StringComparison.Ordinal);
        Assert.Contains("ENVID=QQ314159", received.Mail, StringComparison.Ordinal);
        var recipient = Assert.Single(received.Recipients);
        Assert.Contains("NOTIFY=SUCCESS,FAILURE", recipient, StringComparison.Ordinal);
        Assert.Contains("ORCPT=rfc822;s@example.net", recipient, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n" + System.Text.Encoding.Latin1.GetString("Smørrebrød\r\n"u8), received.Content, StringComparison.Ordinal);
        Assert.Contains("with UTF8SMTPSA id ", received.Content, StringComparison.Ordinal);
    }

    [ToolFact("curl")]
    public async Task Curl_sends_to_several_recipients_with_TLS_required()
    {
        await using var sink = new Sink();
        await using var node = await StartWithUsersAsync(sink);
        var mail = Path.Combine(node.Directory, "mail");
        await File.WriteAllTextAsync(mail, "Subject: from curl\r\n\r\n.leading dot\r\n..two\r\n");
        var outcome = await Outcome.RunAsync("curl", "-sS", "--ssl-reqd", "--insecure", "--user", "ann:correct horse", $"smtp://{node.Smtp}/client.example", "--mail-from", "a@example.com", "--mail-rcpt", "b@example.net", "--mail-rcpt", "c@example.net", "--upload-file", mail);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        var received = await sink.NextAsync();
        var recipients = received.Recipients.Concat(received.Recipients.Count == 2 ? [] : (await sink.NextAsync()).Recipients).Select(line => line.Split('<', '>')[1]).Order();
        Assert.Equal(["b@example.net", "c@example.net"], recipients);
        Assert.EndsWith("\r\n\r\n.leading dot\r\n..two\r\n", received.Content, StringComparison.Ordinal);
    }

    [ToolFact("openssl")]
    public async Task Openssl_speaks_SMTP_inside_STARTTLS()
    {
        await using var node = await NodeProcess.StartAsync(one => one.Text("suspend_delivery = true", "relay_hosts = ( 127.0.0.0/8 ) " + Tls(one)));
        var outcome = await Outcome.RunAsync("openssl", "EHLO inside.example\nQUIT\n",
            ["s_client", "-starttls", "smtp", "-crlf", "-quiet", "-connect", node.Smtp.ToString(), "-CAfile", Path.Combine(node.Directory, "ca.pem"), "-verify_hostname", "mta.example.org", "-verify_return_error"]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        Assert.Contains("250-mta.example.org says EHLO to", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("STARTTLS", outcome.Output, StringComparison.Ordinal);
    }

    [ToolFact("python3")]
    public async Task A_SCRAM_exchange_proves_both_sides()
    {
        await using var sink = new Sink();
        await using var node = await StartWithUsersAsync(sink);
        var said = await Outcome.PythonAsync("""
            import base64, hashlib, hmac, os, smtplib, ssl, sys
            smtp = smtplib.SMTP(sys.argv[1], int(sys.argv[2]))
            smtp.starttls(context=ssl._create_unverified_context())
            smtp.ehlo()
            assert "SCRAM-SHA-256" in smtp.esmtp_features["auth"], smtp.esmtp_features
            b64 = lambda data: base64.b64encode(data).decode()
            nonce = b64(os.urandom(12))
            first = f"n=ann,r={nonce}"
            code, challenge = smtp.docmd("AUTH", "SCRAM-SHA-256 " + b64(f"n,,{first}".encode()))
            assert code == 334, (code, challenge)
            server_first = base64.b64decode(challenge).decode()
            fields = dict(part.split("=", 1) for part in server_first.split(","))
            salted = hashlib.pbkdf2_hmac("sha256", b"correct horse", base64.b64decode(fields["s"]), int(fields["i"]))
            mac = lambda key, text: hmac.new(key, text, hashlib.sha256).digest()
            without = f"c=biws,r={fields['r']}"
            message = f"{first},{server_first},{without}".encode()
            client_key = mac(salted, b"Client Key")
            proof = bytes(a ^ b for a, b in zip(client_key, mac(hashlib.sha256(client_key).digest(), message)))
            code, final = smtp.docmd(b64(f"{without},p={b64(proof)}".encode()))
            assert code == 334, (code, final)
            assert base64.b64decode(final) == b"v=" + b64(mac(mac(salted, b"Server Key"), message)).encode(), final
            code, text = smtp.docmd("")
            print(code, text.decode())
            smtp.sendmail("a@example.com", "b@example.net", "Subject: scram\r\n\r\nyes\r\n")
            smtp.quit()
            """, node.Address.ToString(), NodeProcess.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.StartsWith("235 2.7.0", said, StringComparison.Ordinal);
        Assert.Equal("a@example.com", (await sink.NextAsync()).Sender);
    }

    private static string Tls(NodeProcess node)
    {
        using var authority = new TestAuthority("Acceptance");
        File.WriteAllText(Path.Combine(node.Directory, "ca.pem"), authority.Pem);
        return $"smtp_extensions = ( \"STARTTLS\" ) tls_certificate = \"{authority.IssueFile(node.Directory, "mta.example.org")}\"";
    }

    private static async Task<NodeProcess> StartWithUsersAsync(Sink sink, string more = "")
    {
        var node = NodeProcess.Prepare(one => one.Text(sink.Gateway, $$"""
            relay_hosts = ( 192.0.2.1 )
            {{Tls(one)}}
            {{Auth}}
            authplainparameters = [ uri = "file://{{one.Directory}}/users" log_authentication = true ]
            authloginparameters = [ uri = "file://{{one.Directory}}/users" log_authentication = true ]
            authscramparameters = [ uri = "scram://{{one.Directory}}/scram" ]
            {{more}}
            """));
        foreach (var (file, kind) in (ReadOnlySpan<(string, string)>)[("users", "pbkdf2"), ("scram", "scram")])
            Assert.Equal(0, PasswordFile(Path.Combine(node.Directory, file), kind));
        await node.RunAsync();
        return node;
    }

    private static int PasswordFile(string file, string kind)
    {
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "veredus"), ["user", "password", "--file", file, "--kind", kind, "--password-stdin", "ann"]) { RedirectStandardInput = true, RedirectStandardError = true })!;
        process.StandardInput.WriteLine("correct horse");
        process.StandardInput.Close();
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    private static Task<Outcome> SwaksAsync(NodeProcess node, params string[] more) =>
        Outcome.RunAsync("swaks", ["--server", node.Smtp.ToString(), "--from", "sender@example.com", "--to", "rcpt@example.net", "--helo", "client.example", .. more]);
}
