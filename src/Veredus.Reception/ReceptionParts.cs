using System.Net;
using Veredus.Configuration;
using Veredus.Logging;
using Veredus.Reception.Bindings;
using Veredus.Reception.Policy;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Reception;

/// <summary>What reception works with; shared by all sessions, owned by whoever puts the node together.</summary>
public sealed record ReceptionParts(ISpool Spool, MessageIdGenerator Ids, IReceptionSettings Settings, IReceivedMail Received, IMailLog Log, TimeProvider Time)
{
    public SessionCounter Sessions { get; init; } = new();

    public required MemoryGuard Memory { get; init; }

    /// <summary>Draws among equal members of a binding group; safe from any thread.</summary>
    public required Random Random { get; init; }
}

/// <summary>The settings of this moment. Safe from any thread; each answer is of one configuration.</summary>
public interface IReceptionSettings
{
    ReceptionRules Rules { get; }

    /// <summary>What holds for a client on a listening socket; <see langword="null"/> when the socket is no longer configured.</summary>
    InboundPolicy? Policy(string endpoint, IPAddress client);
}

/// <summary>The settings that are the same for every client.</summary>
public sealed record ReceptionRules(ConfigurationSnapshot Configuration, IBindingState BindingState)
{
    /// <summary>Whether mail for this recipient domain is refused with 551 (<c>blackhole = inline</c>).</summary>
    public Func<string, bool> IsBlackholed { get; init; } = static _ => false;

    /// <summary><c>memory_hwm</c>; 0: no limit.</summary>
    public double MemoryHighWaterPercent { get; init; } = 95;

    /// <summary>A DSN for recipients that were refused after DATA while others were accepted.</summary>
    public bool BounceRefusedRecipients { get; init; } = true;
}

/// <summary>Takes what reception has made durable.</summary>
public interface IReceivedMail
{
    /// <summary>A message is durable and logged: queue it. Must not block.</summary>
    void Accepted(StoredMessage message, Envelope envelope);

    /// <summary>A recipient was refused after others of the same message were accepted: tell the sender. Never fails; trouble is the taker's own to report.</summary>
    /// <param name="envelope">What would have been stored, with the default binding.</param>
    /// <param name="reply">Why.</param>
    void RefusedAfterData(Envelope envelope, SmtpReply reply);

    /// <summary>A message, recipient or connection was refused; for the counters.</summary>
    void Rejected();
}
