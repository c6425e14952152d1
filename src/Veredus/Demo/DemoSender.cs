using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Demo;

/// <summary>The sending end of the demo: one SMTP connection that is opened again when it breaks. Counts only what was answered with 250.</summary>
internal sealed class DemoSender(int port, int bodyBytes) : IAsyncDisposable
{
    private NetworkStream? _stream;
    private StreamReader? _reader;

    /// <summary>Sends one message.</summary>
    /// <returns>True: the node has said 250 and answers for it. False: it was refused or the connection broke; it may or may not exist.</returns>
    public async Task<bool> SendAsync(int number, CancellationToken cancellationToken)
    {
        try
        {
            if (_stream is null)
                await OpenAsync(cancellationToken);
            if (!await AskAsync("MAIL FROM:<sender@sender.demo>", '2', cancellationToken)
                || !await AskAsync(string.Create(CultureInfo.InvariantCulture, $"RCPT TO:<user{number % 10}@sink.demo>"), '2', cancellationToken)
                || !await AskAsync("DATA", '3', cancellationToken))
            {
                Close();
                return false;
            }
            return await AskAsync(Message(number), '2', cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            Close();
            return false;
        }
    }

    public ValueTask DisposeAsync()
    {
        Close();
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

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        _stream = new(socket, ownsSocket: true);
        _reader = new(_stream, Encoding.Latin1);
        if (!await ReplyAsync('2', cancellationToken) || !await AskAsync("EHLO sender.demo", '2', cancellationToken))
            throw new IOException("the node does not greet");
    }

    private async Task<bool> AskAsync(string line, char first, CancellationToken cancellationToken)
    {
        await _stream!.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"), cancellationToken);
        return await ReplyAsync(first, cancellationToken);
    }

    private async Task<bool> ReplyAsync(char first, CancellationToken cancellationToken)
    {
        while (await _reader!.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length < 4 || line[3] != '-')
                return line.StartsWith(first);
        }
        throw new IOException("the node closed the connection");
    }

    private void Close()
    {
        _reader?.Dispose();
        _stream?.Dispose();
        (_stream, _reader) = (null, null);
    }
}
