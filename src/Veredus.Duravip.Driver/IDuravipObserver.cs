using Veredus.Cluster;

namespace Veredus.Duravip.Driver;

/// <summary>Told of what happens, to keep it and show it. Called on the driver's loop, in order, when it has nothing to do; so nothing here may wait.</summary>
public interface IDuravipObserver
{
    /// <summary>An owner was decided; or a step was added to what was decided before, with the same <see cref="PlacementRecord.Serial"/>.</summary>
    /// <param name="clock">Turns the record's times into the wall clock's.</param>
    void Placed(PlacementRecord record, Func<long, DateTimeOffset> clock);

    /// <summary>A step of the newest placement of an address that only its own host sees.</summary>
    void Step(VipAddress address, string text, DateTimeOffset at);

    /// <summary>A member has introduced itself.</summary>
    void Joined(Hello member);

    /// <summary>A member is gone.</summary>
    void Left(string node, Cluster.Departure why);

    /// <summary>This node has lost the bus: it knows nothing of the others any more.</summary>
    void BusLost(string reason);

    /// <summary>An operator's command and the answer to it.</summary>
    void Ordered(OperatorCommand command, bool ok, string answer);
}
