using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Node.Tests.Support;

/// <summary>A client that says exactly what the test wants and reads whole replies.</summary>
internal sealed class Client : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private readonly TcpClient _tcp;
    private readonly Stream _stream;
    private readonly StreamReader _reader;

    private Client(TcpClient tcp)
    {
        _tcp = tcp;
        _stream = tcp.GetStream();
        _reader = new(_stream, Encoding.Latin1);
    }

    /// <summary>Connects and reads the greeting.</summary>
    public static async Task<Client> ConnectAsync(EndPoint endPoint, string greeting = "220")
    {
        var tcp = new TcpClient();
        await tcp.Client.ConnectAsync(endPoint);
        var client = new Client(tcp);
        var said = await client.ReplyAsync();
        Assert.StartsWith(greeting, said, StringComparison.Ordinal);
        return client;
    }

    public async Task SendAsync(string text) => await _stream.WriteAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends one line and reads its reply.</summary>
    public async Task<string> SayAsync(string line)
    {
        await SendAsync(line + "\r\n");
        return await ReplyAsync();
    }

    /// <summary>Says a line and insists on the begin of the reply.</summary>
    public async Task<string> ExpectAsync(string line, string begin)
    {
        var reply = await SayAsync(line);
        Assert.StartsWith(begin, reply, StringComparison.Ordinal);
        return reply;
    }

    /// <summary>One reply, its lines joined with LF; empty when the connection ended.</summary>
    public async Task<string> ReplyAsync()
    {
        var reply = new StringBuilder();
        while (true)
        {
            string? line;
            try
            {
                line = await _reader.ReadLineAsync().WaitAsync(Limit);
            }
            catch (IOException)
            {
                line = null;
            }

            if (line is null)
                return reply.ToString();
            reply.Append(reply.Length > 0 ? "\n" : "").Append(line);
            if (line.Length < 4 || line[3] != '-')
                return reply.ToString();
        }
    }

    /// <summary>Sends one whole message; the reply to its content.</summary>
    public async Task<string> SendMessageAsync(string sender, string recipient, string content = "Subject: test\r\n\r\nHello\r\n")
    {
        await ExpectAsync($"MAIL FROM:<{sender}>", "250");
        await ExpectAsync($"RCPT TO:<{recipient}>", "250");
        await ExpectAsync("DATA", "354");
        return await SayAsync(content + ".");
    }

    public void Dispose()
    {
        _reader.Dispose();
        _tcp.Dispose();
    }
}
