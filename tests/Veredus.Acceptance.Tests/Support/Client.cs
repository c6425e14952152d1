using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Acceptance.Tests.Support;

/// <summary>A client that sends exactly what the test says and reads whole replies.</summary>
internal sealed class Client : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly TcpClient _tcp;
    private Stream _stream;
    private StreamReader _reader;

    private Client(TcpClient tcp)
    {
        _tcp = tcp;
        _stream = tcp.GetStream();
        _reader = new(_stream, Encoding.Latin1);
    }

    public Socket Socket => _tcp.Client;

    /// <summary>Connects, and reads the greeting.</summary>
    public static async Task<Client> ConnectAsync(IPEndPoint endPoint, string greeting = "220")
    {
        var client = await ConnectSilentAsync(endPoint);
        var said = await client.ReplyAsync();
        Assert.StartsWith(greeting, said, StringComparison.Ordinal);
        return client;
    }

    public static async Task<Client> ConnectSilentAsync(IPEndPoint endPoint)
    {
        var tcp = new TcpClient();
        await tcp.ConnectAsync(endPoint);
        return new(tcp);
    }

    public async Task SendAsync(string text) => await SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> octets) => await _stream.WriteAsync(octets).AsTask().WaitAsync(Limit);

    /// <summary>Sends a line and insists on the begin of its reply.</summary>
    public async Task<string> ExpectAsync(string line, string begin)
    {
        await SendAsync(line + "\r\n");
        var reply = await ReplyAsync();
        Assert.StartsWith(begin, reply, StringComparison.Ordinal);
        return reply;
    }

    /// <summary>One reply, its lines joined with LF; empty when the connection has ended.</summary>
    public async Task<string> ReplyAsync()
    {
        var reply = new StringBuilder();
        while (await LineAsync() is { } line)
        {
            reply.Append(reply.Length > 0 ? "\n" : "").Append(line);
            if (line.Length < 4 || line[3] != '-')
                break;
        }

        return reply.ToString();
    }

    /// <summary>Everything up to the end of the connection, however it ends.</summary>
    public async Task<string> RestAsync()
    {
        var rest = new StringBuilder();
        while (await LineAsync() is { } line)
            rest.Append(line).Append('\n');
        return rest.ToString();
    }

    public async Task<string> SendMessageAsync(string sender, string recipient, string content = "Subject: test\r\n\r\nHello\r\n")
    {
        await ExpectAsync($"MAIL FROM:<{sender}>", "250");
        await ExpectAsync($"RCPT TO:<{recipient}>", "250");
        await ExpectAsync("DATA", "354");
        await SendAsync(content + ".\r\n");
        return await ReplyAsync();
    }

    public async Task StartTlsAsync()
    {
        var tls = new SslStream(_stream, leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null);
        await tls.AuthenticateAsClientAsync("mta.example.org").WaitAsync(Limit);
        (_stream, _reader) = (tls, new(tls, Encoding.Latin1));
    }

    public void Dispose()
    {
        _reader.Dispose();
        _tcp.Dispose();
    }

    private async Task<string?> LineAsync()
    {
        try
        {
            return await _reader.ReadLineAsync().WaitAsync(Limit);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
