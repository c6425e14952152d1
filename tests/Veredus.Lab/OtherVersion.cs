using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Veredus.Cluster;

namespace Veredus.Lab;

/// <summary>Stands in for a node's ECCluster listener with the node's own name, as if it was of another version. Connections of one other node come here.</summary>
internal sealed class OtherVersion : IAsyncDisposable
{
    private const int Port = 4899;

    private readonly MoveLab _lab;
    private readonly int _node;
    private readonly X509Certificate2 _certificate;
    private readonly string _greeting;
    private readonly Socket _socket;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _serving = [];
    private readonly Task _accepting;

    private OtherVersion(MoveLab lab, int node, X509Certificate2 certificate, string greeting, Socket socket)
    {
        (_lab, _node, _certificate, _greeting, _socket) = (lab, node, certificate, greeting, socket);
        _accepting = AcceptAsync();
    }

    /// <summary>It offers XECMMOVE, but another version of it; else it offers none.</summary>
    public bool OffersMoves { get; set; }

    /// <param name="forNode">Whose connections come here.</param>
    public static async Task<OtherVersion> StandInAsync(MoveLab lab, int node, int forNode)
    {
        var certificate = CertificateOf(lab, node);
        using var asking = CertificateOf(lab, forNode);
        string greeting;
        await using (var stream = await ConnectAsync(lab, forNode, node, asking))
        using (var reader = new StreamReader(stream, Encoding.ASCII))
            greeting = (await reader.ReadLineAsync())!;
        var socket = await lab.OnHostAsync(node, () =>
        {
            var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Any, Port));
            listener.Listen();
            return listener;
        });
        await lab.RunOnHostAsync(node, "nft", "add table ip other; add chain ip other in { type nat hook prerouting priority -100; }; "
            + $"add rule ip other in ip saddr {MoveLab.Host(forNode)} tcp dport 4802 redirect to :{Port}");
        return new(lab, node, certificate, greeting, socket);
    }

    /// <summary>Connects to a node as this one and offers it a message.</summary>
    /// <returns>The reply to XECMMOVE.</returns>
    public async Task<string> OfferAsync(int to, string text)
    {
        await using var stream = await ConnectAsync(_lab, _node, to, _certificate);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        await reader.ReadLineAsync();
        var incarnation = _greeting.Split(' ')[^1];
        Assert.StartsWith("250", await SayAsync(stream, reader, $"SERVICE ECmmove2 mta{_node} {incarnation}"), StringComparison.Ordinal);
        await reader.ReadLineAsync();
        Assert.StartsWith("250", await SayAsync(stream, reader, $"EHLO mta{_node}"), StringComparison.Ordinal);
        return await SayAsync(stream, reader, $"XECMMOVE {text}");
    }

    /// <summary>From now on the node itself answers.</summary>
    public async Task EndAsync()
    {
        await _lab.RunOnHostAsync(_node, "nft", "delete table ip other");
        await _stopping.CancelAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _socket.Dispose();
        await _accepting;
        await Task.WhenAll(_serving);
        _certificate.Dispose();
        _stopping.Dispose();
    }

    private static X509Certificate2 CertificateOf(MoveLab lab, int node)
    {
        var pem = File.ReadAllText(new ClusterFiles(Path.Combine(lab.DirectoryOf(node), "cluster")).Identity);
        using var read = X509Certificate2.CreateFromPem(pem, pem);
        return X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pfx), null);
    }

    // The nodes check who this is; this takes whoever shows a certificate.
    private static bool HasCertificate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) => certificate is not null;

    private static async Task<SslStream> ConnectAsync(MoveLab lab, int from, int to, X509Certificate2 certificate)
    {
        var socket = await lab.OnHostAsync(from, () =>
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            client.Connect(MoveLab.Host(to), 4802);
            return client;
        });
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true), leaveInnerStreamOpen: false, HasCertificate);
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = $"mta{to}", ClientCertificates = [certificate] });
        return stream;
    }

    private static async Task<string> SayAsync(SslStream stream, StreamReader reader, string line)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"));
        while (true)
        {
            var answer = await reader.ReadLineAsync() ?? "the connection ended";
            if (answer.Length < 4 || answer[3] != '-')
                return answer;
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _serving.Add(ServeAsync(await _socket.AcceptAsync(_stopping.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        try
        {
            await using var stream = new SslStream(new NetworkStream(connection, ownsSocket: true), leaveInnerStreamOpen: false, HasCertificate);
            await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate, ClientCertificateRequired = true }, _stopping.Token);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            await WriteAsync(stream, _greeting);
            while (await reader.ReadLineAsync(_stopping.Token) is { } line)
            {
                await WriteAsync(stream, line.Split(' ')[0] switch
                {
                    "SERVICE" when line.StartsWith("SERVICE ECmmove2 ", StringComparison.Ordinal) => $"250 OK\r\n220 mta{_node}.lab",
                    "SERVICE" => "550 unknown service",
                    "EHLO" => OffersMoves ? $"250-mta{_node}.lab\r\n250 XECMMOVE" : $"250 mta{_node}.lab",
                    "XECMMOVE" => "450 4.5.4 version 1 of XECMMOVE is not known here; this node speaks version 2",
                    "QUIT" => "221 2.0.0 bye",
                    "RSET" => "250 2.0.0 OK",
                    _ => "450 4.5.1 not now",
                });
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // The other end or the test is gone.
        }
    }

    private ValueTask WriteAsync(SslStream stream, string line) => stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"), _stopping.Token);
}
