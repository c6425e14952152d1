using System.IO.Pipelines;
using System.Net;
using Veredus.Cluster;
using Veredus.Logging;
using Veredus.Moves;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Node.Moves;

/// <summary>The service <c>ECmmove2</c>: takes messages of other nodes, each durable and known here before it is answered (cluster.md 7.2).</summary>
internal sealed class MoveReceiver(MailMoves moves) : IClusterService
{
    public const string ServiceName = "ECmmove2";

    private static readonly IPEndPoint s_nowhere = new(IPAddress.None, 0);

    public string Name => ServiceName;

    public async Task ServeAsync(ClusterPeer peer, IDuplexPipe connection, CancellationToken cancellationToken)
    {
        var options = new SmtpServerOptions
        {
            HostName = moves.Node.Hostname,
            Extensions = SmtpExtensions.Pipelining | SmtpExtensions.EightBitMime | SmtpExtensions.EnhancedStatusCodes | SmtpExtensions.Chunking | SmtpExtensions.Xecmmove,
            RequireEhlo = true,
            IdleTimeout = TimeSpan.FromSeconds(120),
        };
        var session = new SmtpServerSession(connection, peer.RemoteAddress as IPEndPoint ?? s_nowhere, s_nowhere, new Session(moves, peer), options, moves.Sessions);
        await session.RunAsync(cancellationToken);
        if (session.Failure is { } failure)
            moves.Tell(PanicLevel.Error, $"mmove: taking a message from {peer.NodeName}: {failure}");
    }

    /// <summary>One connection of another node: XECMMOVE says what comes, MAIL and RCPT only keep the form.</summary>
    private sealed class Session(MailMoves moves, ClusterPeer peer) : ISmtpServerHandler, IMessageSink
    {
        private MoveText? _offered;
        private bool _isNew;
        private SpoolBody? _body;

        public ValueTask<SmtpReply?> MoveAsync(SmtpServerSession session, string text, CancellationToken cancellationToken)
        {
            Drop();
            if (MoveText.Read(text, out var version, out var problem) is not { } offered)
            {
                if (version is not (0 or MoveText.CurrentVersion))
                {
                    moves.TellOnce(peer.NodeName, "version", PanicLevel.Error, $"mmove: {peer.NodeName} hands mail over in version {version} of XECMMOVE; this node speaks version {MoveText.CurrentVersion}: it stays there until both speak the same");
                    return new(MoveReplies.OtherVersion(version));
                }
                moves.TellOnce(peer.NodeName, "text", PanicLevel.Error, $"mmove: {peer.NodeName} offers a message that this node cannot read ({problem}); it keeps it");
                return new(new SmtpReply(450, new(4, 5, 0), "this is not understood here"));
            }
            if (moves.Refusal(offered, peer.NodeName) is { } refusal)
                return new(refusal);
            switch (moves.Arrive(offered))
            {
                case Arrival.Busy:
                    return new(MoveReplies.Busy);
                case Arrival.New:
                    _isNew = true;
                    break;
            }
            _offered = offered;
            return default;
        }

        public ValueTask<SmtpReply?> MailAsync(SmtpServerSession session, MailCommand mail, CancellationToken cancellationToken) =>
            new(_offered is null ? MoveReplies.NotOffered : null);

        public ValueTask<SmtpReply?> RcptAsync(SmtpServerSession session, RcptCommand rcpt, CancellationToken cancellationToken) =>
            new(session.TransactionRecipients > 0 ? MoveReplies.NotOffered : null);

        public ValueTask<DataStart> DataAsync(SmtpServerSession session, CancellationToken cancellationToken)
        {
            if (_isNew)
                _body = moves.Node.Spool.CreateBody();
            return new(new DataStart(this));
        }

        void IMessageSink.Write(ReadOnlySpan<byte> content)
        {
            if (_body is { } body)
                System.Buffers.BuffersExtensions.Write(body, content);
        }

        async ValueTask<bool> IMessageSink.FlushAsync(CancellationToken cancellationToken)
        {
            if (_body is not { } body)
                return true;
            await body.FlushAsync();
            return body.Error is null;
        }

        public async ValueTask<SmtpReply> EndOfDataAsync(SmtpServerSession session, DataResult result, CancellationToken cancellationToken)
        {
            var (offered, body) = (_offered!, _body);
            try
            {
                if (body is null)
                    return MoveReplies.Known;
                if (body.Error is null && body.Length != offered.Size)  // a full disk is told as what it is, below
                    return new(450, new(4, 5, 0), $"{body.Length} octets came instead of {offered.Size}");
                var stored = await moves.StoreAsync(offered, body, peer);
                _isNew = stored.IsTransient;
                return stored;
            }
            finally
            {
                Drop();
            }
        }

        public void TransactionAborted(SmtpServerSession session) => Drop();

        private void Drop()
        {
            _body?.Dispose();
            _body = null;
            if (_isNew && _offered is { } offered)
                moves.NotStored(offered);
            (_offered, _isNew) = (null, false);
        }

        public ValueTask<SmtpReply?> ConnectAsync(SmtpServerSession session, CancellationToken cancellationToken) => default;

        public ValueTask<SmtpReply?> HelloAsync(SmtpServerSession session, CancellationToken cancellationToken) => default;

        public ValueTask<AuthResult> AuthenticateAsync(SmtpServerSession session, PasswordCredentials credentials, CancellationToken cancellationToken) => new(AuthResult.Fail);

        public ValueTask<ISaslExchange?> BeginScramAsync(SmtpServerSession session, CancellationToken cancellationToken) => default;

        public void AuthenticationEnded(SmtpServerSession session, AuthMechanisms mechanism, string user, AuthResult result)
        {
        }

        public ValueTask<SmtpReply?> XclientAsync(SmtpServerSession session, XclientCommand command, CancellationToken cancellationToken) => new(SmtpReplies.UnknownCommand);

        public void Refused(SmtpServerSession session, SmtpReply reply)
        {
        }
    }
}

/// <summary>What one node says to another about a message. Replies that the receiver gives before it has looked whether it has the message are <see cref="IsUnsure"/>.</summary>
internal static class MoveReplies
{
    private static readonly EnhancedStatus s_otherVersion = new(4, 5, 4);

    public static readonly SmtpReply Known = new(250, new(2, 0, 0), "it is known here");
    public static readonly SmtpReply NotOffered = new(450, new(4, 5, 1), "XECMMOVE must come first and be accepted");

    /// <summary>The same message is on its way here already, or from here to somebody else.</summary>
    public static readonly SmtpReply Busy = new(450, new(4, 2, 1), "the message is under way here");

    public static readonly SmtpReply ReadingSpool = new(450, new(4, 3, 2), "the spool is still being read");
    public static readonly SmtpReply Leaving = new(450, new(4, 3, 2), "this node is leaving");
    public static readonly SmtpReply NoRoom = new(452, new(4, 3, 1), "insufficient storage");
    public static readonly SmtpReply Fault = new(451, new(4, 3, 0), "the spool is broken");

    public static SmtpReply UnknownBinding(string binding) => SmtpReply.FromText(450, new(4, 3, 5), $"binding {binding} is not configured here");

    /// <summary>The offer itself is not understood: it is the same with every message.</summary>
    public static SmtpReply OtherVersion(int version) => SmtpReply.FromText(450, s_otherVersion, $"version {version} of XECMMOVE is not known here; this node speaks version {MoveText.CurrentVersion}");

    /// <summary>It says nothing about whether the other node has the message.</summary>
    public static bool IsUnsure(SmtpReply reply) => reply.Status == Busy.Status || reply.Status == Leaving.Status || reply.Status == NotOffered.Status;

    /// <summary>It would say the same to any message: the target pauses, not the message.</summary>
    public static bool IsForAll(SmtpReply reply) => reply.Code is 421 or 452 || reply.Status == s_otherVersion || reply.Status == Leaving.Status || reply.Status == Fault.Status;
}
