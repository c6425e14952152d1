using System.IO.Pipelines;
using System.Net;
using System.Text;
using BenchmarkDotNet.Attributes;
using Veredus.Smtp;

namespace Veredus.Bench.Micro.Smtp;

/// <summary>Our client sends 10 KB messages to our server over in-memory pipes: what a message and a session cost on both sides together.</summary>
[MemoryDiagnoser]
public class SmtpSessions10KB
{
    private static readonly SmtpServerOptions Options = new() { HostName = "mx.example.org" };
    private readonly DeadlineClock _clock = new(TimeProvider.System);
    private readonly SmtpTransaction _message = new(
        new("news@example.com"), [new(new("ann@example.net"))],
        new BufferedContent(new(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 76) + "\r\n", 131)))), mayHaveLeadingDots: false));
    private Connection? _open;

    [Params(false, true)]
    public bool Chunking { get; set; }

    [GlobalSetup]
    public async Task SetUp() => _open = await Connection.OpenAsync(_clock, Chunking);

    /// <summary>One message on an open connection.</summary>
    [Benchmark]
    public async Task<int> Message()
    {
        var result = await _open!.Client.SendAsync(_message, default);
        return result.Recipients[0].Reply.Code == 250 ? 1 : throw new InvalidOperationException(result.Recipients[0].Reply.ToString());
    }

    /// <summary>A connection, one message, QUIT.</summary>
    [Benchmark]
    public async Task Session()
    {
        var connection = await Connection.OpenAsync(_clock, Chunking);
        await connection.Client.SendAsync(_message, default);
        await connection.Client.QuitAsync(default);
        await connection.Server;
        await connection.Client.DisposeAsync();
    }

    [GlobalCleanup]
    public async Task CleanUp()
    {
        await _open!.Client.QuitAsync(default);
        await _open.Server;
        _clock.Dispose();
    }

    private sealed record Connection(SmtpClientSession Client, Task Server)
    {
        public static async Task<Connection> OpenAsync(DeadlineClock clock, bool chunking)
        {
            var (toServer, toClient) = (new Pipe(), new Pipe());
            var server = new SmtpServerSession(
                new End(toServer.Reader, toClient.Writer), new(IPAddress.Loopback, 1), new(IPAddress.Loopback, 25), new Handler(), Options, new(clock));
            var running = server.RunAsync(default);
            var client = new SmtpClientSession(new End(toClient.Reader, toServer.Writer), new() { UseChunking = chunking }, clock);
            await client.OpenAsync("out.example.com", default);
            return new(client, running);
        }
    }

    private sealed record End(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Handler : ISmtpServerHandler, IMessageSink
    {
        private static readonly SmtpReply Accepted = new(250, new(2, 0, 0), "OK id=10/00-00007-08B31BA6");

        public ValueTask<SmtpReply?> ConnectAsync(SmtpServerSession session, CancellationToken cancellationToken) => default;
        public ValueTask<SmtpReply?> HelloAsync(SmtpServerSession session, CancellationToken cancellationToken) => default;
        public ValueTask<AuthResult> AuthenticateAsync(SmtpServerSession session, PasswordCredentials credentials, CancellationToken cancellationToken) => default;
        public ValueTask<ISaslExchange?> BeginScramAsync(SmtpServerSession session, CancellationToken cancellationToken) => default;
        public void AuthenticationEnded(SmtpServerSession session, AuthMechanisms mechanism, string user, AuthResult result) { }
        public ValueTask<SmtpReply?> MailAsync(SmtpServerSession session, MailCommand mail, CancellationToken cancellationToken) => default;
        public ValueTask<SmtpReply?> RcptAsync(SmtpServerSession session, RcptCommand rcpt, CancellationToken cancellationToken) => default;
        public ValueTask<DataStart> DataAsync(SmtpServerSession session, CancellationToken cancellationToken) => new(new DataStart(this));
        public ValueTask<SmtpReply> EndOfDataAsync(SmtpServerSession session, DataResult result, CancellationToken cancellationToken) => new(Accepted);
        public void TransactionAborted(SmtpServerSession session) { }
        public ValueTask<SmtpReply?> XclientAsync(SmtpServerSession session, XclientCommand command, CancellationToken cancellationToken) => default;
        public void Refused(SmtpServerSession session, SmtpReply reply) { }
        public void Write(ReadOnlySpan<byte> content) { }
        public ValueTask<bool> FlushAsync(CancellationToken cancellationToken) => new(true);
    }
}
