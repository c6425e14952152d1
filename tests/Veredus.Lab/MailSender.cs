using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>Sends numbered mail from the client's host, and notices when a server breaks off between MAIL and its final reply.</summary>
internal sealed class MailSender(NetworkNamespace host)
{
    private int _last;

    /// <summary>Numbers whose final reply was 250.</summary>
    public List<int> Accepted { get; } = [];

    /// <summary>The IDs that the nodes gave to accepted messages, as their replies say.</summary>
    public ConcurrentDictionary<string, int> Ids { get; } = new(StringComparer.Ordinal);

    /// <summary>The number of a message, of its recipient; −1: it is none of the lab's.</summary>
    public static int NumberOf(string recipient) =>
        recipient.StartsWith('n') && recipient.IndexOf('@', StringComparison.Ordinal) is > 1 and var at && int.TryParse(recipient.AsSpan(1, at - 1), CultureInfo.InvariantCulture, out var number) ? number : -1;

    /// <summary>Connections that ended between MAIL and the final reply, each with what was seen.</summary>
    public List<string> Broken { get; } = [];

    /// <summary>Sends messages over one connection; stops quietly when the server says 421 or there is none.</summary>
    /// <param name="bytes">Octets of the body.</param>
    /// <returns>How many were accepted.</returns>
    public async Task<int> SendAsync(IPAddress server, string domain, int count, int bytes = 200, CancellationToken cancellationToken = default)
    {
        var socket = await host.RunAsync(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        // An address may leave its old host before the last words of a killed node do.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
        var accepted = 0;
        var number = 0;
        try
        {
            await socket.ConnectAsync(new IPEndPoint(server, 25), cancellationToken);
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            if (!await GoodAsync(reader, cancellationToken))
                return 0;
            await SayAsync(stream, "EHLO client.lab\r\n", cancellationToken);
            if (!await GoodAsync(reader, cancellationToken))
                return 0;
            for (; accepted < count; accepted++)
            {
                number = 0;
                await SayAsync(stream, "MAIL FROM:<from@client.lab>\r\n", cancellationToken);
                if (await ReplyAsync(reader, cancellationToken) is not ['2', ..])
                    return accepted;
                number = Interlocked.Increment(ref _last);
                await SayAsync(stream, string.Create(CultureInfo.InvariantCulture, $"RCPT TO:<n{number}@{domain}>\r\nDATA\r\n"), cancellationToken);
                if (await ReplyAsync(reader, cancellationToken) is not ['2', ..] || await ReplyAsync(reader, cancellationToken) is not ['3', ..])
                    throw new IOException("refused after MAIL");
                await SayAsync(stream, string.Create(CultureInfo.InvariantCulture, $"X-Number: {number}\r\nSubject: lab\r\n\r\n{new string('x', 70)}\r\n"), cancellationToken);
                for (var sent = 0; sent < bytes; sent += 72)
                    await SayAsync(stream, $"{new string('y', 70)}\r\n", cancellationToken);
                await SayAsync(stream, ".\r\n", cancellationToken);
                if (await ReplyAsync(reader, cancellationToken) is not ['2', ..] final)
                    throw new IOException("no 250 at the end");
                lock (Accepted)
                    Accepted.Add(number);
                if (final.IndexOf("id=", StringComparison.Ordinal) is > 0 and var at)
                    Ids[final[(at + 3)..].Trim()] = number;
            }
            await SayAsync(stream, "QUIT\r\n", cancellationToken);
        }
        catch (Exception ended) when (ended is IOException or SocketException)
        {
            if (number > 0)
                lock (Broken)
                    if (!Accepted.Contains(number))
                        Broken.Add($"{server} message {number}: {ended.Message}");
        }
        finally
        {
            socket.Dispose();
        }
        return accepted;
    }

    private static async Task<bool> GoodAsync(StreamReader reader, CancellationToken cancellationToken) => await ReplyAsync(reader, cancellationToken) is ['2', ..];

    private static async Task<string> ReplyAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
            if (line.Length < 4 || line[3] != '-')
                return line;
        throw new IOException("the server closed the connection");
    }

    private static async Task SayAsync(NetworkStream stream, string text, CancellationToken cancellationToken) => await stream.WriteAsync(Encoding.ASCII.GetBytes(text), cancellationToken);
}
