namespace Veredus.Delivery.Tests.Connections;

/// <summary>Messages that another node was given and has not answered.</summary>
public sealed class MoveDoubtTests : IAsyncDisposable
{
    private readonly Neighbours _presence = new();
    private EngineHarness _h = null!;

    public async ValueTask DisposeAsync() => await _h.DisposeAsync();

    [Fact]
    public async Task The_other_node_is_asked_again_as_soon_as_it_is_back()
    {
        await GiveAsync();
        _presence.Members.Remove("mta2");
        _presence.Tell();
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        Assert.Null(await _h.Engine.TakeMoveAsync("mta2"));  // it is waited for

        _presence.Members.Add("mta2");
        _presence.Tell();
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        var again = await _h.Engine.TakeMoveAsync("mta2");
        Assert.NotNull(again);
        Assert.True(again.IsInDoubt);
        Assert.Empty(_h.Doubts);
    }

    [Fact]
    public async Task It_is_asked_again_also_when_another_node_has_the_binding_by_now()
    {
        await GiveAsync();
        _presence.Members.Remove("mta2");
        _presence.Owner = "mta3";
        _presence.Tell();
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        Assert.Null(await _h.Engine.TakeMoveAsync("mta3"));

        _presence.Members.Add("mta2");
        _presence.Tell();
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        Assert.NotNull(await _h.Engine.TakeMoveAsync("mta2"));
        Assert.Null(await _h.Engine.TakeMoveAsync("mta3"));
    }

    [Fact]
    public async Task A_node_that_is_back_and_will_not_take_it_yet_gets_its_pauses()
    {
        await GiveAsync();
        _presence.Members.Remove("mta2");
        _presence.Tell();
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        _presence.Members.Add("mta2");
        _presence.Tell();
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        _h.Engine.MoveRefused((await _h.Engine.TakeMoveAsync("mta2"))!, endsDoubt: false);
        await _h.Engine.RelocateAsync(1000, false, CancellationToken.None);
        Assert.Null(await _h.Engine.TakeMoveAsync("mta2"));
    }

    /// <summary>A message is given to mta2, which does not answer.</summary>
    private async Task GiveAsync()
    {
        _h = await EngineHarness.StartAsync("", _presence);
        await _h.SubmitAsync("bob@d.test");
        _h.Engine.MoveUnanswered((await _h.Engine.TakeMoveAsync("mta2"))!, "mta2");
    }

    private sealed class Neighbours : IBindingPresence
    {
        public event Action<string, string>? Changed;

        public HashSet<string> Members { get; } = ["mta2", "mta3"];

        public string Owner { get; set; } = "mta2";

        public bool IsHere(string group, string binding) => false;

        public string? Elsewhere(string group, string binding) => Members.Contains(Owner) ? Owner : null;

        public bool IsMember(string node) => Members.Contains(node);

        public void Tell() => Changed?.Invoke("default", "default");
    }
}
