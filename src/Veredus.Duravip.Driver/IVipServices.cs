namespace Veredus.Duravip.Driver;

/// <summary>What lives on the virtual addresses: listeners and bindings. Called for one address at a time in order; different addresses may overlap.</summary>
public interface IVipServices
{
    /// <summary>Opens the sockets of the address before it is on this host, so that nobody is refused once it is (IP_FREEBIND). May be called again.</summary>
    /// <exception cref="IOException">A socket cannot be opened; the address is not taken then.</exception>
    void Open(VipAddress address);

    /// <summary>The address is here: its bindings send from now on. May be called again, after a reload.</summary>
    /// <exception cref="IOException">A socket cannot be opened; the address is given back.</exception>
    void Start(LocalVip vip);

    /// <summary>The address goes: its bindings stop sending, sessions on it get 421 at their next command boundary. Completes when they have ended, and the sockets are closed.</summary>
    /// <param name="address">The address.</param>
    /// <param name="drain">Longest wait; what is still open then is reset. Zero: at once, also if a longer wait is under way.</param>
    Task StopAsync(VipAddress address, TimeSpan drain);

    /// <summary>Who owns which address has changed; <see langword="null"/>: nobody is known, this node is in no settled view.</summary>
    void OwnersChanged(VipOwners? owners)
    {
    }
}
