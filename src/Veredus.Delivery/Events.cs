using System.Net;
using Veredus.Smtp;
using Veredus.Spool;

namespace Veredus.Delivery;

/// <summary>A message has been handed over: mainlog <c>D</c> (<c>mta.md</c> 8.2).</summary>
/// <param name="Domain">Routing domain.</param>
/// <param name="BytesSent">Octets of this delivery, commands included.</param>
/// <param name="Retries">Tries before this one; 0 = first attempt.</param>
/// <param name="Remote">Who accepted.</param>
public readonly record struct DeliveredEvent(
    DateTimeOffset Time, Envelope Envelope, long Size, string Domain, long BytesSent, int Retries, IPAddress? Remote, SmtpReply Reply, SmtpTlsInfo? Tls)
{
    /// <summary>Seconds since reception.</summary>
    public double Seconds => Math.Max(0, (Time - Envelope.Received).TotalSeconds);
}

/// <summary>Another node of the cluster has taken a message over: mainlog <c>X</c> (<c>mta.md</c> 8.2).</summary>
/// <param name="Domain">Routing domain.</param>
/// <param name="Retries">Tries to deliver it before the move.</param>
/// <param name="Remote">The other node's address.</param>
public readonly record struct MovedEvent(DateTimeOffset Time, Envelope Envelope, long Size, string Domain, long BytesSent, int Retries, IPAddress? Remote, string Node)
{
    /// <summary>Seconds since reception.</summary>
    public double Seconds => Math.Max(0, (Time - Envelope.Received).TotalSeconds);
}

/// <summary>An attempt failed: mainlog <c>T</c> or <c>P</c>, bouncelog <c>T</c> or <c>B</c> (<c>mta.md</c> 8.2, 8.3).</summary>
/// <param name="IsPermanent">The message is given up (<c>P</c>/<c>B</c>); else it is tried again (<c>T</c>).</param>
/// <param name="BytesSent">0 = there was no connection.</param>
/// <param name="Remote">Who refused; <see langword="null"/> when the reply was made here.</param>
/// <param name="Classification">Code of <c>mta.md</c> 7.6.</param>
/// <param name="NextAttempt">When it is tried again; for <c>T</c>.</param>
public readonly record struct FailedEvent(
    DateTimeOffset Time, Envelope Envelope, long Size, string Domain, bool IsPermanent, long BytesSent, SmtpStage Stage, int Retries, IPAddress? Remote,
    SmtpReply Reply, int Classification, DateTimeOffset? NextAttempt)
{
    /// <summary>Seconds since reception.</summary>
    public double Seconds => Math.Max(0, (Time - Envelope.Received).TotalSeconds);
}

public enum DeliveryNotice
{
    /// <summary>The source address of a binding is not on this machine.</summary>
    LocalAddressMissing,

    /// <summary>A message cannot be read from the spool.</summary>
    SpoolUnreadable,

    /// <summary>Something that only a bug can cause; one connection or one message was given up for it.</summary>
    Fault,

    /// <summary>A certificate or key file cannot be used.</summary>
    TlsMaterial,

    /// <summary>A DSN could not be put into the spool; tried again.</summary>
    DsnNotStored,

    /// <summary>A trace file cannot be written.</summary>
    Trace,

    /// <summary>A message that another node was given goes on without its answer: it may be delivered twice.</summary>
    MoveInDoubt,
}

/// <summary>Why it is not known whether another host has a message.</summary>
public enum DoubtCause
{
    /// <summary>The connection ended after the final dot and before the reply.</summary>
    CutOff,

    /// <summary>The process ended before the reply, or before its record was written.</summary>
    Stopped,

    /// <summary>Another node was given it, did not answer and did not come back.</summary>
    Moved,
}

/// <summary>A message that may be delivered twice.</summary>
/// <param name="Envelope"><see langword="null"/>: only its ID is at hand.</param>
/// <param name="Host">Who may have it: an address, or a node's name; empty: not known any more.</param>
public readonly record struct DoubtEvent(DateTimeOffset Time, MessageId Id, Envelope? Envelope, DoubtCause Cause, string Host);

/// <summary>Hears what becomes of mail. Called from delivery's own threads, must not block or throw; nothing is waited for.</summary>
public interface IDeliveryObserver
{
    /// <summary>Comes before the message leaves the spool.</summary>
    void Delivered(in DeliveredEvent delivered);

    /// <summary>Comes before the message leaves the spool.</summary>
    void Moved(in MovedEvent moved)
    {
    }

    /// <summary>Permanent: comes before the message leaves the spool. Transient: comes when it is back in its queue.</summary>
    void Failed(in FailedEvent failed);

    /// <summary>A message goes on although another host may have it. Called under the scheduler's lock for <see cref="DoubtCause.Moved"/>.</summary>
    void InDoubt(in DoubtEvent doubt)
    {
    }

    /// <summary>For the paniclog.</summary>
    void Notice(DeliveryNotice notice, string text);
}

/// <summary>Takes a message that this node itself has written: makes it durable and queues it.</summary>
public interface IMessageInjector
{
    /// <returns><see langword="false"/>: it could not be stored; the caller keeps what caused it and tries again.</returns>
    ValueTask<bool> InjectAsync(OwnMessage message, CancellationToken cancellationToken);
}

/// <summary>A message written here: a DSN.</summary>
/// <param name="Sender">Empty: the null sender.</param>
/// <param name="Content">Header and body in wire form (CRLF), not dot-stuffed.</param>
/// <param name="Group">With <paramref name="Binding"/>: what to use unless a binding rule says otherwise.</param>
public sealed record OwnMessage(string Sender, string Recipient, ReadOnlyMemory<byte> Content, string Group, string Binding);

/// <summary>Says where the address of a binding is now. Called under the scheduler's lock: must be quick.</summary>
public interface IBindingPresence
{
    /// <summary><see langword="false"/>: its mail waits here; it is never bounced for this reason (<c>duravip.md</c> 3.10).</summary>
    bool IsHere(string group, string binding);

    /// <summary>The node that mail of this binding has to be handed to; <see langword="null"/>: it is here, or nobody is known to have it.</summary>
    string? Elsewhere(string group, string binding) => null;

    /// <summary>Whether a node is in the cluster now.</summary>
    bool IsMember(string node) => true;

    /// <summary>Raised with group and binding when <see cref="IsHere"/> or <see cref="Elsewhere"/> has another answer.</summary>
    event Action<string, string>? Changed;
}

/// <summary>Every binding is on this node: a node without cluster.</summary>
public sealed class AlwaysHere : IBindingPresence
{
    public static AlwaysHere Instance { get; } = new();

    public event Action<string, string>? Changed
    {
        add { }
        remove { }
    }

    public bool IsHere(string group, string binding) => true;
}

/// <summary>The binding-assignment rules (<c>mta.md</c> 3.2), for <c>rebind</c>.</summary>
public interface IBindingAssigner
{
    /// <summary>Group and binding for a message, by the rules as they are now. Must not block.</summary>
    (string Group, string Binding) Assign(Envelope envelope);

    /// <summary>The same for a message whose binding has moved: where no rule speaks, it stays with its binding.</summary>
    (string Group, string Binding) Reassign(Envelope envelope) => Assign(envelope);
}
