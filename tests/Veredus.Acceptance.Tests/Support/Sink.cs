using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Channels;

namespace Veredus.Acceptance.Tests.Support;

/// <summary>What came in one transaction.</summary>
internal sealed record Received(string Mail, IReadOnlyList<string> Recipients, string Content, bool IsTls)
{
    public string Sender => Mail[(Mail.IndexOf('<', StringComparison.Ordinal) + 1)..Mail.IndexOf('>', StringComparison.Ordinal)];
}

/// <summary>A foreign mail host on an address of its own, polite unless the test scripts it.</summary>
internal sealed class Sink : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<Received> _received = Channel.CreateUnbounded<Received>();
    private readonly ConcurrentBag<Task> _sessions = [];
    private readonly Task _accepting;
    private int _connections;

    public Sink()
    {
        Address = NodeProcess.NextAddress();
        _listener = new(Address, NodeProcess.Port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public IPAddress Address { get; }

    /// <summary>Configuration that sends everything here.</summary>
    public string Gateway => $"gateway = \"[{Address}]\" remote_smtp_port = {NodeProcess.Port}";

    /// <summary>The reply to a line (<c>CONNECT</c>: the greeting, <c>.</c>: the end of content); null: the usual one.</summary>
    public Func<string, string?> Answer { get; set; } = _ => null;

    /// <summary>Plays the whole connection with this number (from 1) instead of this host; false: it is this host's.</summary>
    public Func<int, Stream, CancellationToken, Task<bool>> Play { get; set; } = (_, _, _) => Task.FromResult(false);

    /// <summary>Offered for STARTTLS.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>The next message; fails after a minute.</summary>
    public async Task<Received> NextAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            return await _received.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No message came within {Limit.TotalSeconds:0} s.");
        }
    }

    public bool HasMore => _received.Reader.TryPeek(out _);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_sessions);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _sessions.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        await Task.Yield();
        try
        {
            using (client)
            {
                var stream = client.GetStream();
                if (!await Play(Interlocked.Increment(ref _connections), stream, _stop.Token))
                    await ConverseAsync(stream, tls: false);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or System.Security.Authentication.AuthenticationException)
        {
            // The client went away, did not like the certificate, or the test is over.
        }
    }

    private async Task ConverseAsync(Stream stream, bool tls)
    {
        var input = new LineInput(stream, _stop.Token);
        var (mail, recipients) = ("", new List<string>());
        if (!tls)
            await SayAsync(stream, Answer("CONNECT") ?? "220 sink ESMTP");
        while (await input.LineAsync() is { } line)
        {
            var scripted = Answer(line);
            switch (line.Split(' ', ':')[0].ToUpperInvariant())
            {
                case "EHLO":
                    await SayAsync(stream, scripted ?? "250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n" + (Certificate is null || tls ? "" : "250-STARTTLS\r\n") + "250 ENHANCEDSTATUSCODES");
                    break;
                case "STARTTLS" when scripted is null && Certificate is not null:
                    await SayAsync(stream, "220 go");
                    await using (var secure = new SslStream(stream))
                    {
                        await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(Certificate, null, offline: true) }, _stop.Token);
                        await ConverseAsync(secure, tls: true);
                    }

                    return;
                case "MAIL":
                    (mail, recipients) = (line, []);
                    await SayAsync(stream, scripted ?? "250 2.1.0 ok");
                    break;
                case "RCPT":
                    if (scripted is null)
                        recipients.Add(line);
                    await SayAsync(stream, scripted ?? "250 2.1.5 ok");
                    break;
                case "DATA":
                    if (scripted is not null || recipients.Count == 0)
                    {
                        await SayAsync(stream, scripted ?? "554 5.5.1 no recipients");
                        break;
                    }

                    await SayAsync(stream, "354 go");
                    var content = new StringBuilder();
                    while (await input.LineAsync() is { } text and not ".")
                        content.Append(text.StartsWith('.') ? text[1..] : text).Append("\r\n");
                    var reply = Answer(".") ?? "250 2.0.0 kept";
                    if (reply.StartsWith('2'))
                        _received.Writer.TryWrite(new(mail, recipients, content.ToString(), tls));
                    await SayAsync(stream, reply);
                    break;
                case "QUIT":
                    await SayAsync(stream, scripted ?? "221 bye");
                    return;
                default:
                    await SayAsync(stream, scripted ?? "250 ok");
                    break;
            }

            if (scripted?.StartsWith("421", StringComparison.Ordinal) == true)
                return;
        }
    }

    private async Task SayAsync(Stream stream, string reply) => await stream.WriteAsync(Encoding.Latin1.GetBytes(reply + "\r\n"), _stop.Token);

    /// <summary>Lines that end with LF; a CR before it is taken off.</summary>
    private sealed class LineInput(Stream stream, CancellationToken cancellationToken)
    {
        private readonly byte[] _buffer = new byte[65536];
        private int _at;
        private int _end;

        public async ValueTask<string?> LineAsync()
        {
            var line = new StringBuilder();
            while (true)
            {
                if (_at == _end)
                    (_at, _end) = (0, await stream.ReadAsync(_buffer, cancellationToken));
                if (_end == 0)
                    return null;
                var length = _buffer.AsSpan(_at, _end - _at).IndexOf((byte)'\n');
                line.Append(Encoding.Latin1.GetString(_buffer, _at, length < 0 ? _end - _at : length));
                _at += length < 0 ? _end - _at : length + 1;
                if (length >= 0)
                    return line.ToString().TrimEnd('\r');
            }
        }
    }
}
