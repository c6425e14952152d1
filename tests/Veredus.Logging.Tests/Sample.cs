using System.Net;
using System.Text;

namespace Veredus.Logging.Tests;

/// <summary>Random records whose every text field holds what could break a line.</summary>
internal sealed class Sample(int seed)
{
    private static readonly string[] Pieces =
        ["@", "\\", "\n", "\r", "\t", "\0", "\x1b[2J", "\x7f", "ä", "漢", "🐎", "\\n", "\\@", "a", "mail", " ", "\"", "]", "[", ",", "=", "\u202e", "\u0085", "x41", "E=5"];

    private readonly Random _random = new(seed);

    public static int NewSeed() => Environment.GetEnvironmentVariable("VEREDUS_SEED") is { } seed ? int.Parse(seed) : Random.Shared.Next();

    public string Text()
    {
        var text = new StringBuilder();
        for (var count = _random.Next(6); count > 0; count--)
            text.Append(Pieces[_random.Next(Pieces.Length)]);
        return text.ToString();
    }

    public LogId Id()
    {
        var text = Text();
        return Encoding.UTF8.GetByteCount(text) <= LogId.MaxBytes ? LogId.From(text) : LogId.From("10/00-00007-08B31BA6");
    }

    public long Number() => _random.Next(3) switch { 0 => 0, 1 => _random.Next(), _ => _random.NextInt64() };

    public int Int() => _random.Next();

    public TimeSpan Duration() => TimeSpan.FromMilliseconds(_random.Next(100_000));

    public bool Coin() => _random.Next(2) == 0;

    public IPAddress? Address() => _random.Next(3) switch
    {
        0 => null,
        1 => IPAddress.Parse("203.0.113." + _random.Next(256)),
        _ => IPAddress.Parse("2001:db8::" + _random.Next(9999)),
    };

    public IPEndPoint? EndPoint() => Address() is { } address ? new(address, _random.Next(65536)) : null;

    public Dictionary<string, string> Context()
    {
        var context = new Dictionary<string, string>();
        for (var count = _random.Next(4); count > 0; count--)
            context[Text()] = Text();
        return context;
    }

    public ReceptionRecord Reception() => new()
    {
        Time = Number(), MessageId = Id(), BatchId = Id(), ConnectionId = Id(), RecipientLocalpart = Text(), RecipientDomain = Text(),
        SenderLocalpart = Text(), SenderDomain = Text(), ClientAddress = Address(), Size = Number(), Protocol = Text(), BindingGroup = Text(), Binding = Text(),
    };

    public DeliveryRecord Delivery() => new()
    {
        Time = Number(), MessageId = Id(), BatchId = Id(), ConnectionId = Id(), Kind = Coin() ? DeliveryKind.Delivered : DeliveryKind.HandedOver,
        Domain = Text(), Size = Number(), BindingGroup = Text(), Binding = Text(), Retries = Int(), SinceReception = Duration(), RemoteAddress = Address(),
    };

    public FailureRecord Failure() => new()
    {
        Time = Number(), MessageId = Id(), BatchId = Id(), ConnectionId = Id(), Kind = Coin() ? FailureKind.Permanent : FailureKind.Transient,
        Domain = Text(), BytesSent = Number(), BindingGroup = Text(), Binding = Text(), Stage = (DeliveryStage)_random.Next(25), Retries = Int(),
        SinceReception = Duration(), RemoteAddress = Address(), Reply = Text(),
    };

    public BounceRecord Bounce() => new()
    {
        Time = Number(), MessageId = Id(), BatchId = Id(), ConnectionId = Id(), Kind = Coin() ? FailureKind.Permanent : FailureKind.Transient,
        RecipientLocalpart = Text(), RecipientDomain = Text(), SenderLocalpart = Text(), SenderDomain = Text(), BindingGroup = Text(), Binding = Text(),
        Stage = (DeliveryStage)_random.Next(25), Classification = Int(), Size = Number(), RemoteAddress = Address(), Reply = Text(),
    };

    public ImportRecord Import() => new()
    {
        Time = Number(), SourceId = Id(), Id = Id(), Result = (ImportResult)_random.Next(1, 5), SourceBase = Text(),
    };

    public AuthenticationRecord Authentication() => new()
    {
        Time = Number(), IsTimeout = Coin(), Endpoint = Text(), Peer = EndPoint(), User = Text(), Result = (AccountResult)_random.Next(-1, 2),
    };

    public AuthorizationRecord Authorization() => new()
    {
        Time = Number(), Endpoint = Text(), Peer = EndPoint(), User = Text(), Result = (AccountResult)_random.Next(-1, 2), Command = Text(),
        Role = Coin() ? null : Text(),
    };

    public RejectRecord Reject() => new()
    {
        Time = _random.Next(), Remote = EndPoint(), Local = EndPoint(), ConnectionId = Id(), Pathway = Text(), PathwayGroup = Text(), State = Text(),
        Code = _random.Next(400, 600), Module = Text(), ConnectionContext = Context(), MessageContext = Context(), Text = Text(),
    };
}
