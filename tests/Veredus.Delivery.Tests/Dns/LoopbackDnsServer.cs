using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Delivery.Dns;

namespace Veredus.Delivery.Tests.Dns;

/// <summary>A name server on loopback, UDP and TCP, that says what a test tells it to; lies included.</summary>
internal sealed class LoopbackDnsServer : IAsyncDisposable
{
    private readonly UdpClient _udp;
    private readonly TcpListener _tcp;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private readonly ConcurrentDictionary<DnsQuestion, Reply> _replies = new();

    public LoopbackDnsServer()
    {
        (_udp, _tcp) = Listen();
        _running = Task.WhenAll(ServeUdpAsync(), ServeTcpAsync());
    }

    /// <summary>One port for both; a port that is free for UDP may be somebody's for TCP.</summary>
    private static (UdpClient, TcpListener) Listen()
    {
        for (var tries = 0; ; tries++)
        {
            var udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
            var tcp = new TcpListener(IPAddress.Loopback, ((IPEndPoint)udp.Client.LocalEndPoint!).Port);
            try
            {
                tcp.Start();
                return (udp, tcp);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && tries < 20)
            {
                udp.Dispose();
                tcp.Dispose();
            }
        }
    }

    public IPEndPoint Endpoint => (IPEndPoint)_udp.Client.LocalEndPoint!;

    public ConcurrentQueue<DnsQuestion> Asked { get; } = new();

    /// <param name="RCode">2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.</param>
    /// <param name="Truncated">Over UDP the answer is cut; TCP has it whole.</param>
    /// <param name="WrongId">Answers with another transaction id: a lie that must not be believed.</param>
    /// <param name="Dead">No answer at all.</param>
    public sealed record Reply(int RCode = 0, bool Truncated = false, bool WrongId = false, bool Dead = false, params (DnsType Type, byte[] Data)[] Records);

    public void Set(string name, DnsType type, Reply reply) => _replies[new(name, type)] = reply;

    public static byte[] Mx(ushort preference, string host) => [(byte)(preference >> 8), (byte)preference, .. Name(host)];

    public static byte[] Address(string text) => IPAddress.Parse(text).GetAddressBytes();

    public static byte[] Name(string host)
    {
        var bytes = new List<byte>();
        foreach (var label in host.Split('.', StringSplitOptions.RemoveEmptyEntries))
            bytes.AddRange([(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]);
        return [.. bytes, 0];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _udp.Dispose();
        _tcp.Stop();
        await _running;
        _stop.Dispose();
    }

    private async Task ServeUdpAsync()
    {
        try
        {
            while (true)
            {
                var packet = await _udp.ReceiveAsync(_stop.Token);
                if (Answer(packet.Buffer, overTcp: false) is { } answer)
                    await _udp.SendAsync(answer, packet.RemoteEndPoint, _stop.Token);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
        {
        }
    }

    private async Task ServeTcpAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _tcp.AcceptTcpClientAsync(_stop.Token);
                var stream = client.GetStream();
                var length = new byte[2];
                await stream.ReadExactlyAsync(length, _stop.Token);
                var query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(query, _stop.Token);
                if (Answer(query, overTcp: true) is { } answer)
                    await stream.WriteAsync((byte[])[(byte)(answer.Length >> 8), (byte)answer.Length, .. answer], _stop.Token);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException or IOException)
        {
        }
    }

    private byte[]? Answer(byte[] query, bool overTcp)
    {
        var at = 12;
        var labels = new List<string>();
        while (query[at] != 0)
        {
            labels.Add(Encoding.ASCII.GetString(query, at + 1, query[at]));
            at += query[at] + 1;
        }
        var question = new DnsQuestion(string.Join('.', labels).ToLowerInvariant(), (DnsType)BinaryPrimitives.ReadUInt16BigEndian(query.AsSpan(at + 1)));
        Asked.Enqueue(question);
        var reply = _replies.GetValueOrDefault(question) ?? new Reply(RCode: _replies.Keys.Any(key => key.Name == question.Name) ? 0 : 3);
        if (reply.Dead)
            return null;
        var cut = reply.Truncated && !overTcp;
        var answer = new List<byte>(query[..(at + 5)]);
        answer[0] ^= reply.WrongId ? (byte)0xff : (byte)0;
        answer[2] = (byte)(0x84 | (cut ? 2 : 0));
        answer[3] = (byte)(0x80 | reply.RCode);
        (answer[6], answer[7]) = (0, cut ? (byte)0 : (byte)reply.Records.Length);
        for (var i = 8; i < 12; i++)
            answer[i] = 0;
        if (!cut)
            foreach (var (type, data) in reply.Records)
                answer.AddRange([0xc0, 12, 0, (byte)type, 0, 1, 0, 0, 1, 44, (byte)(data.Length >> 8), (byte)data.Length, .. data]);
        return [.. answer];
    }
}
