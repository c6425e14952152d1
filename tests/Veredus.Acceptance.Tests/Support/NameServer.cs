using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Veredus.Acceptance.Tests.Support;

/// <summary>A name server that answers what the test says, over UDP.</summary>
internal sealed class NameServer : IAsyncDisposable
{
    private const int Port = 5300;
    private readonly UdpClient _udp;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    public NameServer()
    {
        Address = NodeProcess.NextAddress();
        _udp = new(new IPEndPoint(Address, Port));
        _serving = ServeAsync();
    }

    public IPAddress Address { get; }

    /// <summary>Answers by name and type (<c>mx</c>, <c>a</c>): <c>10 host</c> or an address; null: NXDOMAIN; "-": silence; "": no such record.</summary>
    public Func<string, string, string?> Answer { get; set; } = (_, _) => null;

    /// <summary>Writes a resolv.conf that names this server.</summary>
    public string ResolvConf(string directory)
    {
        var path = Path.Combine(directory, "resolv.conf");
        File.WriteAllText(path, $"nameserver {Address}@{Port}\noptions timeout:1 attempts:1\n");
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _udp.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var question = await _udp.ReceiveAsync(_stop.Token);
                if (Reply(question.Buffer) is { } reply)
                    await _udp.SendAsync(reply, question.RemoteEndPoint, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    /// <summary>The answer to one question (RFC 1035, section 4.1); additional records of the question are left out.</summary>
    private byte[]? Reply(byte[] query)
    {
        var (labels, at) = (new List<string>(), 12);
        while (query[at] != 0)
        {
            labels.Add(Encoding.ASCII.GetString(query, at + 1, query[at]));
            at += query[at] + 1;
        }

        var end = at + 5;
        var type = BinaryPrimitives.ReadUInt16BigEndian(query.AsSpan(at + 1));
        var name = string.Join('.', labels).ToLowerInvariant();
        var answer = Answer(name, type switch { 1 => "a", 15 => "mx", 28 => "aaaa", _ => "other" });
        if (answer == "-")
            return null;
        byte[] data = answer switch
        {
            null or "" => [],
            _ when type == 15 => [.. Number(ushort.Parse(answer.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture)), .. Name(answer.Split(' ')[1])],
            _ => IPAddress.Parse(answer).GetAddressBytes(),
        };
        byte[] head = [query[0], query[1], 0x85, (byte)(answer is null ? 0x83 : 0x80), 0, 1, 0, (byte)(data.Length > 0 ? 1 : 0), 0, 0, 0, 0];
        byte[] record = data.Length == 0 ? [] : [0xC0, 12, .. Number(type), 0, 1, 0, 0, 0, 1, .. Number((ushort)data.Length), .. data];
        return [.. head, .. query[12..end], .. record];
    }

    private static byte[] Number(ushort value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Name(string name) => [.. name.Split('.', StringSplitOptions.RemoveEmptyEntries).SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];
}
