using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Demo;

/// <summary>What became of one message, as its sender sees it.</summary>
internal enum SendOutcome
{
    /// <summary>250: the node answers for it.</summary>
    Accepted,
    /// <summary>No connection, no greeting, or it ended where a connection may end: between two transactions.</summary>
    Unreachable,
    /// <summary>A 4xx or 5xx reply.</summary>
    Refused,
    /// <summary>The connection ended between MAIL and the end of the data; nobody answers for the message.</summary>
    Cut,
    /// <summary>The data was handed over whole and the connection ended without a reply; it may arrive or not.</summary>
    InDoubt,
}

/// <summary>The sending end of the demo: one SMTP connection that is opened again when it breaks.</summary>
internal sealed class DemoSender(IPEndPoint server, int bodyBytes, params string[] domains) : IAsyncDisposable
{
    private const string Prefix = "sender+";

    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(3), ReplyLimit = TimeSpan.FromSeconds(15);

    private NetworkStream? _stream;
    private StreamReader? _reader;

    /// <summary>The number of the message that has such a sender; <see langword="null"/>: none of the demo's.</summary>
    public static int? NumberOf(string sender) => sender.StartsWith(Prefix, StringComparison.Ordinal) && sender.IndexOf('@', StringComparison.Ordinal) is > 0 and var at
        && int.TryParse(sender.AsSpan(Prefix.Length, at - Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Sends one message; its number decides its recipient and is in its sender.</summary>
    public async Task<SendOutcome> SendAsync(int number, CancellationToken cancellationToken)
    {
        var ifBroken = SendOutcome.Unreachable;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            if (_stream is null)
                await OpenAsync(limit);
            limit.CancelAfter(ReplyLimit);
            if (await AskAsync(string.Create(CultureInfo.InvariantCulture, $"MAIL FROM:<{Prefix}{number}@sender.demo>"), limit.Token) is var mail && mail[0] != '2')
                return Close(mail.StartsWith("421", StringComparison.Ordinal) ? SendOutcome.Unreachable : SendOutcome.Refused);
            ifBroken = SendOutcome.Cut;
            foreach (var command in new[] { string.Create(CultureInfo.InvariantCulture, $"RCPT TO:<user{number % 10}@{domains[number % domains.Length]}>"), "DATA" })
                if (await AskAsync(command, limit.Token) is var reply && reply[0] is not ('2' or '3'))
                    return Close(reply.StartsWith("421", StringComparison.Ordinal) ? SendOutcome.Cut : SendOutcome.Refused);
            ifBroken = SendOutcome.InDoubt;
            var final = await AskAsync(Message(number), limit.Token);
            return final[0] == '2' ? SendOutcome.Accepted : Close(SendOutcome.Refused);
        }
        catch (Exception exception) when (exception is IOException or SocketException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return Close(ifBroken);
        }
        catch (OperationCanceledException)
        {
            Close(ifBroken);
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        Close(SendOutcome.Unreachable);
        return default;
    }

    private string Message(int number)
    {
        var text = new StringBuilder()
            .Append("From: Demo sender <sender@sender.demo>\r\nTo: Demo user <user@sink.demo>\r\n")
            .Append(CultureInfo.InvariantCulture, $"Subject: Demo message {number}\r\n{DemoSink.NumberHeader}{number}\r\n\r\n");
        const string line = "This line is here to give the message its size; it says nothing.\r\n";
        for (var left = bodyBytes - line.Length; left > 0; left -= line.Length)
            text.Append(line);
        return text.Append("The end.\r\n.").ToString();
    }

    private async Task OpenAsync(CancellationTokenSource limit)
    {
        limit.CancelAfter(ConnectLimit);
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(server, limit.Token);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        limit.CancelAfter(ReplyLimit);
        _stream = new(socket, ownsSocket: true);
        _reader = new(_stream, Encoding.Latin1);
        if ((await ReplyAsync(limit.Token))[0] != '2' || (await AskAsync("EHLO sender.demo", limit.Token))[0] != '2')
            throw new IOException("the node does not greet");
    }

    private async Task<string> AskAsync(string line, CancellationToken cancellationToken)
    {
        await _stream!.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"), cancellationToken);
        return await ReplyAsync(cancellationToken);
    }

    /// <summary>The last line of a reply: at least three characters.</summary>
    private async Task<string> ReplyAsync(CancellationToken cancellationToken)
    {
        while (await _reader!.ReadLineAsync(cancellationToken) is { Length: >= 3 } line)
        {
            if (line.Length == 3 || line[3] != '-')
                return line;
        }
        throw new IOException("the node closed the connection");
    }

    private SendOutcome Close(SendOutcome outcome)
    {
        _reader?.Dispose();
        _stream?.Dispose();
        (_stream, _reader) = (null, null);
        return outcome;
    }
}
